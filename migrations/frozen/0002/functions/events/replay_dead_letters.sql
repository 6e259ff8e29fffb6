-- Gives dead letters of a subscription, by default all, as many attempts again as they had, and returns how many. Each
-- is delivered after the parked events of its context, and before new ones.
-- Lock: the cursors of their lanes, so a consumer at work on one is not waited for longer than it takes to settle.
create or replace function mnemo.replay_dead_letters(subscription text, ids bigint[] default null) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id    integer := (mnemo.subscription_named(subscription)).id;
    v_count bigint;
begin
    perform from mnemo.event_cursor c
    where c.subscription = v_id and c.lane in (
        select d.lane from mnemo.dead_letter d where d.subscription = v_id and (ids is null or d.id = any (ids)))
    order by c.lane for update;

    with replayed as (
        delete from mnemo.dead_letter d
        where d.subscription = v_id and (ids is null or d.id = any (ids))
        returning d.*
    ), parked as (
        insert into mnemo.event_retry (subscription, attempts, seq, memory_id, at, lane, topic, tenant, context, payload, error)
        select r.subscription, 0, r.seq, r.memory_id, r.at, r.lane, r.topic, r.tenant, r.context, r.payload, r.error
        from replayed r order by r.id
        on conflict do nothing
        returning lane
    )
    select count(*) into v_count from parked;

    update mnemo.event_cursor c set retry_at = '-infinity'
    where c.subscription = v_id and c.lane in (select r.lane from mnemo.event_retry r where r.subscription = v_id and r.not_before is null);
    if v_count > 0 then
        perform mnemo.wake_consumers();
    end if;
    return v_count;
end
$$;
