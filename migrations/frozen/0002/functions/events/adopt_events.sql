-- Makes a log that was restored from another server's dump readable here, where ids of transactions begin anew: what
-- subscriptions have still to get is parked for them, in order, and the cursors go on from now. mnemo.tick_events calls
-- it when the newest tick lies in the future.
-- Lock: the log, against publishers; the caller holds the head.
create or replace function mnemo.adopt_events(p_head mnemo.event_head) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    lock table mnemo.event in share row exclusive mode;
    perform from mnemo.event_cursor c order by c.subscription, c.lane for update;
    insert into mnemo.event_retry (subscription, attempts, seq, memory_id, at, lane, topic, tenant, context, payload)
    select s.id, 0, e.seq, e.memory_id, e.at, e.lane, e.topic, e.tenant, e.context, e.payload
    from mnemo.event e
    join mnemo.subscription s on e.topic = any (s.topics)
    join mnemo.event_cursor c on c.subscription = s.id and c.lane = e.lane
    -- Numbers above the ceiling are in no tick; some are of this server, and say nothing against the old snapshots.
    where e.seq > p_head.ceiling
       or not pg_visible_in_snapshot(e.xid, c.done)
          and (c.upto is null or e.seq > c.seq or not pg_visible_in_snapshot(e.xid, c.upto))
    order by e.seq
    on conflict do nothing;
    update mnemo.event set xid = '2';
    update mnemo.event_head set floor = 0, next_floor = 0, made_by = '1', snapshot = pg_current_snapshot();
    update mnemo.event_cursor c
    set done = pg_current_snapshot(), floor = 0, tick = p_head.tick, upto = null, seq = 0, exhausted = false,
        leased_until = null, batch_to = null, batch_only = null, batch_events = 0, batch_parked = 0, retry_at = '-infinity';
end
$$;
