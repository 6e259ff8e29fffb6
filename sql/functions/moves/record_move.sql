-- Makes the activity rows of moved memories name their new segment, logs each move and announces them together.
-- Part of the transaction that moved them; the caller has locked the activity rows.
create or replace function mnemo.record_move(p_ids uuid[], p_segment integer, p_policy text, p_reason text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_tier      text := mnemo.tier_of_segment(p_segment);
    v_tenants   text[];
    v_events    jsonb[];
begin
    with rule as materialized (
        select u.collection, r.*
        from (select distinct a.collection
              from unnest(p_ids) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id) as u
        cross join lateral mnemo.deadline_rule(v_tier, u.collection) as r
    ), moved as (
        update mnemo.activity a
        set segment = p_segment, tier = v_tier, entered_tier_at = v_now, tier_accesses = 0, leaves_tier_at = l.at,
            due_at = case when l.at is not null then greatest(l.at, v_now + r.minimum_stay) end,
            -- A ttl of the tier it left ends here; one of every tier counts from its writing. Whatever partition it is in now.
            expires_at = case
                when r.age_of_stay then v_now + r.age
                when r.age is not null then (select m.created_at from mnemo.memory m where m.bucket = b.bucket and m.id = b.id) + r.age
            end
        from unnest(p_ids) as w (id)
        join mnemo.activity b on b.bucket = mnemo.bucket_of(w.id) and b.id = w.id
        join rule r on r.collection = b.collection
        cross join lateral (
            select mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, b.ltp, b.ltp_at, v_now, v_half_life) as at
        ) as l
        where a.bucket = b.bucket and a.id = b.id
        returning a.id, a.tenant, b.tier as from_tier, mnemo.strength_at(b.ltp, b.ltp_at, v_now, v_half_life) as strength
    ), logged as (
        insert into mnemo.move_log (at, memory_id, tenant, from_tier, to_tier, segment, policy, reason, strength)
        select v_now, m.id, m.tenant, m.from_tier, v_tier, p_segment, p_policy, p_reason, m.strength from moved m
        returning memory_id, tenant, from_tier
    )
    -- One announcement for each tenant and tier they came from.
    select array_agg(e.tenant), array_agg(e.payload) into v_tenants, v_events
    from (select l.tenant, jsonb_build_object('from', l.from_tier, 'to', v_tier, 'reason', p_reason,
                                              'ids', jsonb_agg(l.memory_id order by l.memory_id)) as payload
          from logged l
          group by l.tenant, l.from_tier
          order by l.tenant, l.from_tier) as e;
    perform mnemo.injection_point('move.recorded');
    perform mnemo.publish_for(e.tenant, 'consolidation.trigger', array[null::uuid], array[e.payload])
    from unnest(v_tenants, v_events) as e (tenant, payload);
end
$$;
