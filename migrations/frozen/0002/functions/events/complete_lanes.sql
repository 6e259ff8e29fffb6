-- Settles several lanes at once, as mnemo.complete_events does each: `lanes` is an array of objects with the arguments lane,
-- lease, done, failed, errors and keep. Returns the lanes whose lease is no longer yours: those are left alone.
-- MN002 for events that are not leased, and for what is no such array.
-- Locks: the cursors, in the order of the lanes.
create or replace function mnemo.complete_lanes(subscription text, lanes jsonb) returns integer[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_subscription mnemo.subscription := mnemo.subscription_named(subscription);
    v_lane record;
    v_lost integer[] := '{}';
begin
    if jsonb_typeof(lanes) is distinct from 'array' then
        raise exception 'lanes must be a JSON array, not %', coalesce(left(lanes::text, 100), 'null') using errcode = 'MN002';
    end if;
    for v_lane in
        select l.* from jsonb_to_recordset(lanes)
            as l (lane integer, lease bigint, done bigint[], failed bigint[], errors text[], keep boolean)
        order by l.lane
    loop
        if not mnemo.settle_lane(v_subscription, v_lane.lane, v_lane.lease, coalesce(v_lane.done, '{}'), coalesce(v_lane.failed, '{}'),
                                 coalesce(v_lane.errors, '{}'), coalesce(v_lane.keep, false)) then
            v_lost := v_lost || v_lane.lane;
        end if;
    end loop;
    return v_lost;
exception
    when data_exception then
        raise exception 'lanes cannot be read: %', sqlerrm using errcode = 'MN002';
end
$$;
