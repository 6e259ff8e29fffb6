-- The memories that an eviction policy would move first, at most p_most, and no more than are over its capacity.
-- A general policy counts only the collections that have none of their own.
create or replace function mnemo.eviction_victims(p_policy mnemo.policy, p_most integer) returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_own       text[] := array(
        select p.collection from mnemo.policy p
        where p.kind = 'eviction' and p.enabled and p.tier = p_policy.tier and p.collection is not null and p_policy.collection is null);
    v_capacity  bigint := least(p_policy.capacity_rows, p_policy.capacity_bytes / mnemo.memory_bytes());
    v_surplus   bigint;
begin
    if p_policy.collection is null and v_own = '{}' then
        select count(*) - v_capacity into v_surplus from mnemo.activity a where a.tier = p_policy.tier;
    else
        select count(*) - v_capacity into v_surplus
        from mnemo.activity a
        where a.tier = p_policy.tier and coalesce(a.collection = p_policy.collection, a.collection <> all (v_own));
    end if;
    if v_surplus <= 0 then
        return '{}';
    end if;
    return array(
        select a.id from mnemo.activity a
        where a.tier = p_policy.tier and coalesce(a.collection = p_policy.collection, a.collection <> all (v_own))
          and not a.pinned and a.entered_tier_at + p_policy.minimum_stay <= v_now
        order by case p_policy.rule
                     when 'ltp' then mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life)
                     when 'lfu' then a.access_count
                     when 'fifo' then extract(epoch from a.entered_tier_at)
                     else extract(epoch from greatest(a.last_access, a.entered_tier_at))
                 end,
                 greatest(a.last_access, a.entered_tier_at), a.id
        limit least(v_surplus, p_most));
end
$$;
