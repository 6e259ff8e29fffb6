-- Gives memories that come back from the archive into p_segment their activity rows, records why, and announces it. They
-- stay as strong as they are, and begin a stay in the tier of that segment. Part of the transaction that restores them.
create or replace function mnemo.readmit(p_archived mnemo.archived_memory[], p_segment integer, p_reason text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_tier      text := mnemo.tier_of_segment(p_segment);
    v_tenants   text[];
    v_events    jsonb[];
    v_before    text := current_setting('mnemo.tenant', true);
    v_each      text;
begin
    with rule as materialized (
        select u.collection, r.*
        from (select distinct a.collection from unnest(p_archived) as a) as u
        cross join lateral mnemo.deadline_rule(v_tier, u.collection) as r
    ), back as (
        insert into mnemo.activity
            (bucket, id, segment, tier, tenant, collection, ltp, ltp_at, last_access, access_count, entered_tier_at, leaves_tier_at,
             due_at, expires_at)
        select a.bucket, a.id, p_segment, v_tier, a.tenant, a.collection, a.ltp, a.ltp_at, a.last_access, a.access_count, v_now, l.at,
               case when l.at is not null then greatest(l.at, v_now + r.minimum_stay) end,
               case when r.age_of_stay then v_now else a.created_at end + r.age
        from unnest(p_archived) as a
        join rule r on r.collection = a.collection
        cross join lateral (
            select mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, a.ltp, a.ltp_at, v_now, v_half_life) as at
        ) as l
        order by a.bucket, a.id
        returning id, tenant, mnemo.strength_at(ltp, ltp_at, v_now, v_half_life) as strength
    ), logged as (
        insert into mnemo.move_log (at, memory_id, tenant, from_tier, to_tier, segment, reason, strength)
        select v_now, b.id, b.tenant, 'archive', v_tier, p_segment, p_reason, b.strength from back b
        returning memory_id, tenant
    )
    select array_agg(e.tenant), array_agg(e.payload) into v_tenants, v_events
    from (select l.tenant, jsonb_build_object('from', 'archive', 'to', v_tier, 'reason', p_reason,
                                              'ids', jsonb_agg(l.memory_id order by l.memory_id)) as payload
          from logged l group by l.tenant order by l.tenant) as e;
    foreach v_each in array v_tenants loop
        perform set_config('mnemo.tenant', v_each, true);
        perform mnemo.queue_copies(array(select a.id from unnest(p_archived) as a where a.tenant = v_each));
    end loop;
    perform set_config('mnemo.tenant', coalesce(v_before, ''), true);
    perform mnemo.injection_point('restore.recorded');
    perform mnemo.publish_for(e.tenant, 'consolidation.trigger', array[null::uuid], array[e.payload])
    from unnest(v_tenants, v_events) as e (tenant, payload);
end
$$;
