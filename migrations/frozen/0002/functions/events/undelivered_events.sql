-- The events of the log that a subscription wants and has not done with, in one lane. No search_path is pinned, so that
-- it can be inlined.
-- Those of transactions that were over when mnemo.event_cursor.done was taken are done. Of the others, those up to floor
-- belong to transactions that done names as under way, which are few and looked up one by one.
create or replace function mnemo.undelivered_events(p_cursor mnemo.event_cursor, p_topics text[]) returns setof mnemo.event
language sql stable
as $$
    select e.*
    from mnemo.event e
    where e.lane = p_cursor.lane and e.seq > p_cursor.floor and e.topic = any (p_topics)
      and not pg_visible_in_snapshot(e.xid, p_cursor.done)
      and (p_cursor.upto is null or e.seq > p_cursor.seq or not pg_visible_in_snapshot(e.xid, p_cursor.upto))
    union all
    select e.*
    from mnemo.event e
    where e.xid = any (array(select pg_snapshot_xip(p_cursor.done))) and e.lane = p_cursor.lane and e.seq <= p_cursor.floor and e.topic = any (p_topics)
      and (p_cursor.upto is null or e.seq > p_cursor.seq or not pg_visible_in_snapshot(e.xid, p_cursor.upto))
$$;
