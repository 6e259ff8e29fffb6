-- Writes a cursor back whole.
create or replace function mnemo.write_cursor(c mnemo.event_cursor) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    update mnemo.event_cursor k
    set exhausted = c.exhausted, batch_parked = c.batch_parked, batch_events = c.batch_events, isolate = c.isolate,
        tick = c.tick, floor = c.floor, upto_tick = c.upto_tick, upto_floor = c.upto_floor, ceiling = c.ceiling, seq = c.seq,
        batch_to = c.batch_to, batch_only = c.batch_only, acknowledged = c.acknowledged, lease = c.lease,
        leased_until = c.leased_until, retry_at = c.retry_at, done = c.done, upto = c.upto
    where k.subscription = c.subscription and k.lane = c.lane;
end
$$;
