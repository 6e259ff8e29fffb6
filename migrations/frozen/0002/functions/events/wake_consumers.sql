-- Wakes the consumers when this transaction commits, if one went to sleep since they were last woken: a NOTIFY makes
-- commits wait for each other, so a busy bus does without. A wake-up lost to a rollback costs a consumer half a second.
create or replace function mnemo.wake_consumers() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_sequence_last_value('mnemo.event_asleep') = 1 then
        perform setval('mnemo.event_asleep', 0);
        perform pg_notify('mnemo_event', '');
    end if;
end
$$;
