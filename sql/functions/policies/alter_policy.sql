-- Changes columns of a policy of this kind and records why; returns the number of the change. MN010 for the name of none,
-- MN002 for what is no column, cannot change, or has a value that it cannot take.
create or replace function mnemo.alter_policy(p_name text, p_kind text, p_settings jsonb, p_reason text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before mnemo.policy := mnemo.policy(p_name, p_kind);
    v_after  mnemo.policy;
    v_name   text;
begin
    if jsonb_typeof(p_settings) is distinct from 'object' then
        raise exception 'settings of policy % must be a JSON object, not %', quote_literal(p_name), coalesce(jsonb_typeof(p_settings), 'SQL null')
            using errcode = 'MN002';
    end if;
    select s.name into v_name
    from jsonb_object_keys(p_settings) as s (name)
    where s.name <> all (array['enabled'] || case p_kind
        when 'tier' then array['tier', 'to_tier', 'collection', 'rule', 'threshold', 'after', 'minimum_stay']
        when 'promotion' then array['tier', 'to_tier', 'collection', 'rule', 'threshold', 'accesses', 'within', 'minimum_stay']
        when 'eviction' then array['tier', 'to_tier', 'collection', 'rule', 'capacity_rows', 'capacity_bytes', 'minimum_stay']
        when 'ttl' then array['tier', 'collection', 'after']
        else array['after']
    end)
    limit 1;
    if found then
        raise exception '% policy % has no setting %', p_kind, quote_literal(p_name), quote_literal(v_name) using errcode = 'MN002';
    end if;
    begin
        v_after := jsonb_populate_record(v_before, p_settings);
    exception when data_exception then
        raise exception 'policy %: %', quote_literal(p_name), sqlerrm using errcode = 'MN002';
    end;
    perform mnemo.check_policy_tier(t.tier) from unnest(array[v_after.tier, v_after.to_tier]) as t (tier) where t.tier is not null;
    return mnemo.change_policy(p_name, v_after, p_reason);
end
$$;
