-- Settles the leased events of a lane: mnemo.complete_events without its error; false when the lease is not p_lease.
-- MN002 for numbers that are not leased, or come twice: counted as done, they would let others be skipped.
create or replace function mnemo.settle_lane(
    p_subscription mnemo.subscription, p_lane integer, p_lease bigint, p_done bigint[], p_failed bigint[], p_errors text[], p_keep boolean
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c        mnemo.event_cursor;
    v_log    mnemo.event[] := '{}';
    v_behind bigint[] := '{}';
    v_next   bigint;
    v_left   integer;
    v_given  bigint[] := p_done || p_failed;
    v_wrong  bigint;
begin
    select k.* into c from mnemo.event_cursor k
    where k.subscription = p_subscription.id and k.lane = p_lane
    for update;
    if not found or c.lease <> p_lease or c.leased_until is null then
        return false;
    end if;

    select g.seq into v_wrong
    from unnest(v_given) as g (seq)
    left join mnemo.event e on e.lane = c.lane and e.seq = g.seq and g.seq > c.seq and g.seq <= c.batch_to
    where e.seq is null and not (c.batch_parked > 0 and exists (
        select from mnemo.event_retry r where r.subscription = c.subscription and r.lane = c.lane and r.seq = g.seq))
    limit 1;
    if found or (select count(*) <> count(distinct g.seq) from unnest(v_given) as g (seq)) then
        raise exception 'events to settle under lease %: % is not one of its events, or comes twice', p_lease, coalesce(v_wrong::text, 'one') using errcode = 'MN002';
    end if;
    v_left := c.batch_events - cardinality(p_done) - cardinality(p_failed);
    c.acknowledged := c.acknowledged + cardinality(p_done) + cardinality(p_failed);
    c.isolate := greatest(c.isolate - cardinality(p_done) - cardinality(p_failed), 0);
    perform mnemo.injection_point('event.completing');
    -- All is done. Where some are parked, they may be among the given ones, and then others are left.
    if v_left = 0 and cardinality(p_failed) = 0 and c.batch_parked = 0 and c.retry_at is null then
        perform mnemo.finish_batch(c, true);
        return true;
    end if;

    if c.batch_parked > 0 then
        delete from mnemo.event_retry r where r.subscription = c.subscription and r.lane = c.lane and r.seq = any (p_done);
    end if;
    if cardinality(p_failed) > 0 then
        perform mnemo.park_events(p_subscription, c.lane, p_failed, p_errors, false, '{}');
        c.retry_at := '-infinity';
    end if;
    if c.batch_to is not null then
        v_log := array(
            select e from mnemo.range_events(c, p_subscription.topics, c.batch_to, 1000) e
            where not e.seq = any (p_done) and not e.seq = any (p_failed));
        if c.retry_at is not null then
            v_behind := array(
                select e.seq from unnest(v_log) e
                where exists (
                    select from mnemo.event_retry r
                    where r.subscription = c.subscription and r.lane = c.lane
                      and (r.seq = e.seq or r.tenant = e.tenant and r.context = e.context)));
            perform mnemo.park_events(p_subscription, c.lane, '{}', '{}', false, v_behind);
            v_left := v_left - cardinality(v_behind);
        end if;
        select min(e.seq) into v_next from unnest(v_log) e where not e.seq = any (v_behind);
        if v_next is not null then
            c.seq := v_next - 1;
        end if;
    end if;
    if p_keep and v_left > 0 then
        c.batch_events := v_left;
        c.leased_until := mnemo.now() + p_subscription.visibility;
        perform mnemo.write_cursor(c);
    else
        perform mnemo.finish_batch(c, v_next is null);
    end if;
    perform mnemo.injection_point('event.completed');
    return true;
end
$$;
