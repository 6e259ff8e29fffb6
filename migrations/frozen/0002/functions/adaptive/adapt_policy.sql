-- Looks at one adaptive policy and changes its number where mnemo.decide_adaptive says so, through mnemo.change_policy.
-- Both rows are locked by the caller. A change that contradicts other policies is not made; its status says why.
-- Evidence counts from when the last change has taken effect: hot is within its capacity, or no deadline is stale.
create or replace function mnemo.adapt_policy(p_policy mnemo.policy, p_adaptive mnemo.adaptive) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_now      timestamptz := mnemo.now();
    v_rows     boolean := p_adaptive.parameter = 'capacity_rows';
    -- Bytes, where they are limited too, stay a limit.
    v_most     bigint := p_policy.capacity_bytes / mnemo.memory_bytes();
    v_value    double precision;
    v_held     bigint := 0;
    v_full     boolean := true;
    v_waits    text;
    v_own      text[];
    v_evidence record;
    v_decision record;
    v_change   bigint;
begin
    if v_rows then
        v_value := least(p_policy.capacity_rows, v_most);
        p_adaptive.highest := floor(least(p_adaptive.highest, v_most));
        p_adaptive.lowest := least(ceil(p_adaptive.lowest), p_adaptive.highest);
        -- A general policy counts only the collections that have none of their own.
        v_own := array(select p.collection from mnemo.policy p
                       where p.kind = 'eviction' and p.enabled and p.tier = p_policy.tier and p.collection is not null);
        select count(*) into v_held
        from (select from mnemo.activity a where a.tier = p_policy.tier and a.collection <> all (v_own)
              limit ceil(v_value * 1.05)::bigint + 2) as a;
        if v_held > v_value * 1.05 + 1 then
            v_waits := format('waits for evictions: hot holds more than its capacity, %s', v_value);
        end if;
        v_full := v_held >= 0.99 * v_value;
    else
        v_value := coalesce(p_policy.threshold, (select t.leaves_below from mnemo.tier t where t.tier = 'hot'));
        if exists (select from mnemo.stale_deadline)
           or exists (select from mnemo.activity a where a.tier = 'hot' and a.due_at <= p_adaptive.evidence_from) then
            v_waits := 'waits for a consolidation, which the last change needs to take effect';
        end if;
    end if;
    if not p_policy.enabled then
        v_waits := 'the policy is disabled';
    end if;

    select coalesce(sum(t.hot_accesses), 0)::bigint as hits,
           coalesce(sum(t.hot_accesses + t.warm_accesses + t.cold_accesses), 0)::bigint as accesses,
           extract(epoch from max(t.at) - min(t.since))::numeric as seconds
    into v_evidence
    from mnemo.telemetry t
    where t.at > p_adaptive.evidence_from and t.since >= p_adaptive.evidence_from;
    v_decision := mnemo.decide_adaptive(p_adaptive, v_value, v_held, v_evidence.hits, v_evidence.accesses,
                                        v_full, v_waits);

    if v_decision.value is not null then
        v_decision.status := format('hot hit rate %s over the last %s, target %s: %s %s -> %s',
            round(v_evidence.hits::numeric / v_evidence.accesses, 3),
            case when v_evidence.seconds < 120 then round(v_evidence.seconds) || ' s'
                 when v_evidence.seconds < 7200 then round(v_evidence.seconds / 60) || ' min'
                 else round(v_evidence.seconds / 3600) || ' h' end,
            p_adaptive.target, p_adaptive.parameter, v_value, v_decision.value);
        if v_rows then
            p_policy.capacity_rows := v_decision.value::bigint;
        else
            p_policy.threshold := v_decision.value;
        end if;
        begin
            v_change := mnemo.change_policy(p_policy.name, p_policy, v_decision.status);
        exception when sqlstate 'MN002' then
            v_decision.status := format('%s is not possible: %s', v_decision.status, sqlerrm);
        end;
    end if;
    perform mnemo.injection_point('adapt.changed');
    update mnemo.adaptive a
    set checked_at = v_now, status = v_decision.status, last_change = coalesce(v_change, a.last_change),
        direction = case when v_change is not null then v_decision.way else a.direction end,
        pace = case when v_change is not null then v_decision.pace else a.pace end,
        evidence_from = case when v_decision.used then v_now else a.evidence_from end,
        began = case when not v_decision.used then a.began
                     when v_waits is not null then 'unsettled'
                     when v_change is not null then case when v_rows and v_decision.way > 0 then 'filling' else 'unsettled' end
                     when v_full then 'full'
                     else 'filling' end
    where a.policy = p_policy.name;
end
$$;
