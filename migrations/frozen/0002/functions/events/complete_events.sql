-- Settles leased events: those of `done` are acknowledged; those of `failed`, each with its error, are parked and
-- tried again later, or are dead letters after the last attempt. Events of a context behind a failed one are parked
-- with it: do not work on them. All others, from the first one that is left out on, are delivered again.
-- The lane is free after it, or, with `keep`, leased anew for what is left. MN012 when the lease is no longer yours:
-- then nothing has changed, and what was done is delivered to others again.
-- Lock: the cursor of the lane.
create or replace function mnemo.complete_events(
    subscription text, lane integer, lease bigint, done bigint[], failed bigint[] default '{}', errors text[] default '{}',
    keep boolean default false
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_subscription mnemo.subscription := mnemo.subscription_named(subscription);
    c        mnemo.event_cursor;
    v_log    mnemo.event[] := '{}';
    v_behind bigint[] := '{}';
    v_next   bigint;
    v_left   integer;
begin
    select k.* into c from mnemo.event_cursor k
    where k.subscription = v_subscription.id and k.lane = complete_events.lane
    for update;
    if not found or c.lease <> complete_events.lease or c.leased_until is null then
        raise exception 'lane % of subscription % is not leased under %', complete_events.lane, quote_literal(v_subscription.name), complete_events.lease
            using errcode = 'MN012', hint = 'A batch has to be settled within the visibility of its subscription.';
    end if;

    v_left := c.batch_events - cardinality(done) - cardinality(failed);
    c.acknowledged := c.acknowledged + cardinality(done) + cardinality(failed);
    c.isolate := greatest(c.isolate - cardinality(done) - cardinality(failed), 0);
    perform mnemo.injection_point('event.completing');
    if v_left = 0 and cardinality(failed) = 0 and c.batch_parked = 0 then
        perform mnemo.finish_batch(c, true);
        return;
    end if;

    if c.batch_parked > 0 then
        delete from mnemo.event_retry r where r.subscription = c.subscription and r.lane = c.lane and r.seq = any (done);
    end if;
    if cardinality(failed) > 0 then
        perform mnemo.park_events(v_subscription, c.lane, failed, errors, false, '{}');
        c.retry_at := '-infinity';
    end if;
    if c.batch_to is not null then
        v_log := array(
            select e from mnemo.range_events(c, v_subscription.topics, c.batch_to, 1000) e
            where not e.seq = any (done) and not e.seq = any (failed));
        if c.retry_at is not null then
            v_behind := array(
                select e.seq from unnest(v_log) e
                where exists (
                    select from mnemo.event_retry r
                    where r.subscription = c.subscription and r.lane = c.lane
                      and (r.seq = e.seq or r.tenant = e.tenant and r.context = e.context)));
            perform mnemo.park_events(v_subscription, c.lane, '{}', '{}', false, v_behind);
            v_left := v_left - cardinality(v_behind);
        end if;
        select min(e.seq) into v_next from unnest(v_log) e where not e.seq = any (v_behind);
        if v_next is not null then
            c.seq := v_next - 1;
        end if;
    end if;
    if keep and v_left > 0 then
        c.batch_events := v_left;
        c.leased_until := mnemo.now() + v_subscription.visibility;
        perform mnemo.write_cursor(c);
    else
        perform mnemo.finish_batch(c, v_next is null);
    end if;
    perform mnemo.injection_point('event.completed');
end
$$;
