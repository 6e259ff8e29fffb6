-- Makes the next tick, if there are events that no tick has yet, and returns the head of the log. The events of a tick
-- are those visible in its snapshot and not in the one before, so each is in exactly one, however late its transaction
-- committed, and a transaction that publishes nothing holds up nobody. An event published after another one was
-- visible is never in an earlier tick than that.
-- Lock: the head, and who cannot have it at once takes the tick that there is.
-- p_number is the newest number before this transaction had an id. A snapshot ends at the newest transaction that is
-- over: one with a later id may be under way and have published. But numbers are taken after ids: once this
-- transaction is over, snapshots end after it, and so after those of all numbers up to p_number.
create or replace function mnemo.tick_events(p_number bigint default null) returns mnemo.event_head
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_head     mnemo.event_head;
    v_snapshot pg_snapshot;
    v_ceiling  bigint;
    v_late     xid8[];
    v_lanes    smallint[];
begin
    select * into v_head from mnemo.event_head for update skip locked;
    if not found then
        select * into v_head from mnemo.event_head;
        return v_head;
    end if;
    select pg_current_snapshot() into v_snapshot;
    if pg_snapshot_xmax(v_head.snapshot) > pg_snapshot_xmax(v_snapshot) then
        perform mnemo.adopt_events(v_head);
        select * into v_head from mnemo.event_head;
        return v_head;
    end if;
    v_late := array(select x.xid from pg_snapshot_xip(v_head.snapshot) as x (xid));
    v_ceiling := coalesce(pg_sequence_last_value('mnemo.event_seq'), 0);
    v_lanes := array(
        select e.lane from mnemo.event e
        where e.xid >= pg_snapshot_xmax(v_head.snapshot) and e.xid < pg_snapshot_xmax(v_snapshot)
          and pg_visible_in_snapshot(e.xid, v_snapshot)
        union
        select e.lane from mnemo.event e
        where e.xid = any (v_late) and pg_visible_in_snapshot(e.xid, v_snapshot));
    if cardinality(v_lanes) > 0 then
        update mnemo.event_head h
        set tick = v_head.tick + 1, ceiling = v_ceiling, snapshot = v_snapshot,
            floor = case when pg_visible_in_snapshot(v_head.made_by, v_snapshot) then v_head.next_floor else v_head.floor end,
            next_floor = coalesce(p_number, v_head.next_floor),
            made_by = case when p_number is null then v_head.made_by else pg_current_xact_id() end,
            lanes = array(
                select case when l.lane = any (v_lanes) then v_head.tick + 1 else v_head.lanes[l.lane + 1] end
                from generate_series(0, 63) as l (lane) order by l.lane)
        returning * into v_head;
        perform mnemo.injection_point('event.ticked');
    end if;
    return v_head;
end
$$;
