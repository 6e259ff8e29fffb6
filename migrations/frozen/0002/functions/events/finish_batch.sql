-- Writes a cursor back with its lane given free; p_through: all leased events of the log are settled. The next parked
-- event of the lane decides when a consumer has to come back for it.
create or replace function mnemo.finish_batch(p_cursor mnemo.event_cursor, p_through boolean) returns mnemo.event_cursor
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c mnemo.event_cursor := p_cursor;
begin
    if p_through and c.exhausted then
        c.done := c.upto;
        c.floor := c.upto_floor;
        c.tick := c.upto_tick;
        c.upto := null;
        c.seq := 0;
    elsif p_through then
        c.seq := coalesce(c.batch_to, c.seq);
    end if;
    if c.retry_at is not null then
        select min(coalesce(f.not_before, '-infinity')) into c.retry_at
        from (
            select distinct on (r.tenant, r.context, case when r.context is null then r.seq end) r.not_before
            from mnemo.event_retry r
            where r.subscription = c.subscription and r.lane = c.lane
            order by r.tenant, r.context, case when r.context is null then r.seq end, r.place
        ) as f;
    end if;
    c.exhausted := false;
    c.leased_until := null;
    c.batch_to := null;
    c.batch_only := null;
    c.batch_events := 0;
    c.batch_parked := 0;
    perform mnemo.write_cursor(c);
    return c;
end
$$;
