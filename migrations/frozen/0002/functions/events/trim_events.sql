-- One step of keeping the log short: truncates a slot that nobody needs any more, or else, when the slot in use holds
-- its share of what is to be kept, lets an empty one take new events. Returns 1 when it did one, 0 when there was nothing
-- to do. An event that a subscription has still to get is never dropped: that is decided while the slot is locked.
-- Locks: mnemo.event_log (others leave at once), then a slot, for a moment; where somebody is busy in it for longer
-- than that, the next run tries again.
create or replace function mnemo.trim_events(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
    v_shares constant integer := 4;
    v_now  smallint;
    v_slot smallint;
    v_free smallint;
    v_first record;
begin
    -- Consumers that claim in transactions with an id leave the floor of the ticks where it is.
    if pg_current_xact_id_if_assigned() is null then
        perform mnemo.tick_events(coalesce(pg_sequence_last_value('mnemo.event_seq'), 0));
    end if;
    -- A snapshot from before the lock would miss events that were committed meanwhile.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'mnemo.trim_events needs the isolation level read committed' using errcode = 'MN002';
    end if;
    select l.slot into v_now from mnemo.event_log l for update skip locked;
    if not found then
        return 0;
    end if;
    -- So that changed settings, too, are seen.
    perform setval('mnemo.event_room', 0);

    for v_slot in
        select s.slot from generate_series(0, 7) as s (slot)
        where s.slot <> v_now and pg_relation_size(format('mnemo.event_%s', s.slot)::regclass) > 0
        order by (s.slot - v_now + 8) % 8
    loop
        continue when not mnemo.slot_is_spent(v_slot);
        begin
            execute format('lock table mnemo.event_%s in access exclusive mode', v_slot);
            if mnemo.slot_is_spent(v_slot) then
                perform mnemo.injection_point('event.trimming');
                execute format('truncate mnemo.event_%s', v_slot);
                perform mnemo.injection_point('event.trimmed');
                return 1;
            end if;
        exception
            when lock_not_available then
                continue;
        end;
    end loop;

    select e.seq, e.at into v_first from mnemo.event e where e.slot = v_now order by e.xid limit 1;
    if v_first.at <= mnemo.now() - mnemo.setting('event_keep_hours') * interval '1 hour' / v_shares
       and v_first.seq <= coalesce(pg_sequence_last_value('mnemo.event_seq'), 0) - mnemo.setting('event_keep_count') / v_shares
    then
        select s.slot into v_free from generate_series(0, 7) as s (slot)
        where s.slot <> v_now and pg_relation_size(format('mnemo.event_%s', s.slot)::regclass) = 0
        order by (s.slot - v_now + 8) % 8 limit 1;
        if found then
            update mnemo.event_log set slot = v_free;
            perform mnemo.injection_point('event.rotated');
            return 1;
        end if;
    end if;
    return 0;
end
$$;
