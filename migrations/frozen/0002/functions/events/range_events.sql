-- The next events that a cursor is to deliver of the snapshot it works off, in order: at most p_most, up to number p_to.
create or replace function mnemo.range_events(p_cursor mnemo.event_cursor, p_topics text[], p_to bigint, p_most integer) returns setof mnemo.event
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_late xid8[] := array(select x.xid from pg_snapshot_xip(p_cursor.done) as x (xid));
    v_lane smallint := p_cursor.lane;
    v_from bigint := p_cursor.seq;
    v_rows bigint := 0;
begin
    -- Transactions that were under way when done was taken: few, and their numbers may be below its floor.
    if cardinality(v_late) > 0 and v_from < p_cursor.floor then
        return query
        select e.* from mnemo.event e
        where e.xid = any (v_late) and e.lane = v_lane and e.seq > v_from and e.seq <= least(p_cursor.floor, p_to)
          and pg_visible_in_snapshot(e.xid, p_cursor.upto) and e.topic = any (p_topics)
        order by e.seq limit p_most;
        get diagnostics v_rows = row_count;
    end if;
    if v_rows < p_most then
        return query
        select e.* from mnemo.event e
        where e.lane = v_lane and e.seq > greatest(v_from, p_cursor.floor) and e.seq <= least(p_cursor.ceiling, p_to)
          and pg_visible_in_snapshot(e.xid, p_cursor.upto) and not pg_visible_in_snapshot(e.xid, p_cursor.done)
          and e.topic = any (p_topics)
        order by e.seq limit p_most - v_rows;
    end if;
end
$$;
