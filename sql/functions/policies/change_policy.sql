-- Puts a policy in the place of the one of that name (p_policy null: removes it), records the change with its reason
-- and returns its number. The one way in which policies change.
-- Deadlines in mnemo.activity rest on tier and ttl policies: a change of those has them computed again, by the next
-- consolidation. MN002 for a policy that contradicts itself or whose place is taken, MN010 for the name of none.
create or replace function mnemo.change_policy(p_name text, p_policy mnemo.policy, p_reason text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- What the history keeps must be exact, and the same from every session.
set intervalstyle = 'postgres'
set extra_float_digits = 1
as $$
declare
    v_before mnemo.policy;
    v_change bigint;
    v_constraint text;
    v_column text;
begin
    -- Beyond these a time or a strength overflows, and every write would fail.
    select c.name into v_column
    from (values ('after', p_policy.after), ('within', p_policy.within), ('minimum_stay', p_policy.minimum_stay)) as c (name, span)
    where c.span > interval '1000 years' limit 1;
    if found then
        raise exception 'policy % is not possible: % is longer than 1000 years', quote_literal(p_name), v_column using errcode = 'MN002';
    elsif p_policy.threshold not between 1e-6 and 1 then
        raise exception 'policy % is not possible: threshold must be from 1e-6 to 1, not %', quote_literal(p_name), p_policy.threshold
            using errcode = 'MN002';
    end if;
    select * into v_before from mnemo.policy p where p.name = p_name for update;
    if p_policy is null then
        delete from mnemo.policy p where p.name = p_name;
    else
        perform mnemo.collection(p_policy.collection) where p_policy.collection is not null;
        insert into mnemo.policy select p_policy.*
        on conflict (name) do update
        set (kind, tier, to_tier, collection, rule, threshold, after, accesses, within, capacity_rows, capacity_bytes,
             minimum_stay, enabled)
          = (excluded.kind, excluded.tier, excluded.to_tier, excluded.collection, excluded.rule, excluded.threshold, excluded.after,
             excluded.accesses, excluded.within, excluded.capacity_rows, excluded.capacity_bytes, excluded.minimum_stay, excluded.enabled);
    end if;
    perform mnemo.check_thresholds();
    insert into mnemo.policy_change (at, policy, before, after, reason)
    values (mnemo.now(), p_name,
            case when v_before.name is not null then to_jsonb(v_before) - 'created_at' end,
            case when p_policy.name is not null then to_jsonb(p_policy) - 'created_at' end, p_reason)
    returning change into v_change;
    if 'tier' in (v_before.kind, p_policy.kind) or 'ttl' in (v_before.kind, p_policy.kind) then
        perform mnemo.recompute_deadlines();
    end if;
    if 'copy' in (v_before.kind, p_policy.kind) then
        perform mnemo.switch_copies(coalesce(v_before.enabled, false), coalesce(p_policy.enabled, false));
    end if;
    perform mnemo.record_audit('policy.change', p_name, to_jsonb(c) - '{at,policy,reverted_by}'::text[], '')
    from mnemo.policy_change c where c.change = v_change;
    return v_change;
exception
    when check_violation or not_null_violation or unique_violation then
        get stacked diagnostics v_constraint = constraint_name, v_column = column_name;
        raise exception 'policy % is not possible: %', coalesce(quote_literal(p_name), 'null'),
                case
                    when v_constraint = 'policy_scope' then
                        format('%s has another %s policy for %s', coalesce('tier ' || p_policy.tier, 'every tier'), p_policy.kind,
                               coalesce('collection ' || p_policy.collection, 'all collections'))
                    when v_constraint = 'policy_rule' then
                        format('kind %s takes %s; given is rule %s', p_policy.kind,
                               case p_policy.kind
                                   when 'tier' then 'rule ltp, or rule idle with after'
                                   when 'promotion' then 'rule ltp, or rule accesses with accesses'
                                   when 'eviction' then 'rule lru, lfu, fifo or ltp, with capacity_rows or capacity_bytes'
                                   when 'ttl' then 'rule age with after'
                                   when 'copy' then 'rule age with after'
                                   else 'rule idle with after'
                               end, concat_ws(' ', coalesce(p_policy.rule, 'null'), 'with ' || nullif(concat_ws(', ',
                                   case when p_policy.after is not null then 'after' end,
                                   case when p_policy.accesses is not null then 'accesses' end,
                                   case when coalesce(p_policy.capacity_rows, p_policy.capacity_bytes) is not null then 'a capacity' end), '')))
                    when v_constraint = 'policy_tiers' then
                        format('kind %s cannot go from %s to %s', p_policy.kind, coalesce(p_policy.tier, 'no tier'), coalesce(p_policy.to_tier, 'no tier'))
                    when v_constraint = 'policy_name_check' then 'a name is 1 to 63 letters, digits and, after the first, _.:-'
                    when v_column <> '' then format('%s must not be null', v_column)
                    when v_constraint = 'policy_minimum_stay_check' then format('minimum_stay must not be negative, as %s is', p_policy.minimum_stay)
                    when v_constraint ~ '^policy_.*_check$' then
                        format('%s must be above 0, not %s', substring(v_constraint from '^policy_(.*)_check$'),
                               to_jsonb(p_policy) ->> substring(v_constraint from '^policy_(.*)_check$'))
                    else sqlerrm
                end
            using errcode = 'MN002';
end
$$;
