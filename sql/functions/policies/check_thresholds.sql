-- MN002 unless, for the memories of every collection, thresholds fall from tier to tier, and a promotion happens at a
-- strength at which the new tier keeps a memory: otherwise the rules would move it to and fro.
create or replace function mnemo.check_thresholds() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong record;
begin
    if exists (select from mnemo.tier fast join mnemo.tier slow on slow.place > fast.place and slow.leaves_below >= fast.leaves_below) then
        raise exception 'thresholds must fall from tier to tier: hot_threshold above warm_threshold' using errcode = 'MN002';
    end if;
    -- The collections that policies name, and null: all others.
    with scope as (
        select distinct p.collection from mnemo.policy p where p.enabled
        union select null
    ), leaving as materialized (
        select s.collection, t.tier, t.place, r.policy, r.threshold
        from scope s
        cross join mnemo.tier t
        cross join lateral mnemo.deadline_rule(t.tier, s.collection) as r
        where r.leave_rule = 'ltp'
    ), wrong as (
        select 1 as place, format('policy %L leaves %s below %s, policy %L leaves %s below %s',
                                  f.policy, f.tier, f.threshold, s.policy, s.tier, s.threshold) as what
        from leaving f
        join leaving s on s.collection is not distinct from f.collection and s.place > f.place and s.threshold >= f.threshold
        union all
        select 2, format('policy %L promotes to %s from strength %s, policy %L leaves %s below %s',
                         p.name, p.to_tier, coalesce(p.threshold, there.leaves_below), l.policy, l.tier, l.threshold)
        from leaving l
        cross join mnemo.tier t
        cross join lateral mnemo.policy_of('promotion', t.tier, l.collection) as p
        join mnemo.tier there on there.tier = p.to_tier
        where p.rule = 'ltp' and p.to_tier = l.tier and coalesce(p.threshold, there.leaves_below) < l.threshold
    )
    select w.what into v_wrong from wrong w order by w.place, w.what limit 1;
    if found then
        raise exception 'thresholds out of order: %', v_wrong.what using errcode = 'MN002';
    end if;
end
$$;
