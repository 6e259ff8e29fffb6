-- Records failed attempts at leased events, each with its error: the event waits in mnemo.event_retry, longer after each
-- attempt, or becomes a dead letter after the last one. Events of p_followers wait there behind earlier ones of their
-- context, without having been tried. The caller has locked the cursor of the lane.
create or replace function mnemo.park_events(
    p_subscription mnemo.subscription, p_lane smallint, p_failed bigint[], p_errors text[], p_alone boolean, p_followers bigint[]
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_again bigint[] := array(
        select r.seq from mnemo.event_retry r where r.subscription = p_subscription.id and r.seq = any (p_failed));
begin
    update mnemo.event_retry r
    set attempts = r.attempts + 1, error = f.error, alone = p_alone,
        not_before = mnemo.now() + least(p_subscription.backoff * power(2, least(r.attempts, 30)), greatest(p_subscription.backoff, interval '1 hour'))
    from unnest(p_failed, p_errors) as f (seq, error)
    where r.subscription = p_subscription.id and r.seq = f.seq and f.seq = any (v_again);

    insert into mnemo.event_retry
        (subscription, attempts, seq, memory_id, at, not_before, lane, alone, topic, tenant, context, payload, error)
    select p_subscription.id, (f.seq is not null)::integer, e.seq, e.memory_id, e.at,
           case when f.seq is not null then mnemo.now() + p_subscription.backoff end,
           e.lane, f.seq is not null and p_alone, e.topic, e.tenant, e.context, e.payload, f.error
    from mnemo.event e
    left join unnest(p_failed, p_errors) as f (seq, error) on f.seq = e.seq
    where e.lane = p_lane and e.seq = any (p_failed || p_followers) and not e.seq = any (v_again)
    order by e.seq
    on conflict do nothing;
    perform mnemo.injection_point('event.parked');

    with dead as (
        delete from mnemo.event_retry r
        where r.subscription = p_subscription.id and r.seq = any (p_failed) and r.attempts >= p_subscription.max_attempts
        returning r.*
    )
    insert into mnemo.dead_letter (subscription, attempts, seq, memory_id, at, died_at, lane, topic, tenant, context, payload, error)
    select d.subscription, d.attempts, d.seq, d.memory_id, d.at, mnemo.now(), d.lane, d.topic, d.tenant, d.context, d.payload, d.error
    from dead d order by d.place;
end
$$;
