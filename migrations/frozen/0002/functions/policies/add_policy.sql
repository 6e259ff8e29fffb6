-- Adds a policy and records why; returns the number of the change. MN002 when one of that name is there.
create or replace function mnemo.add_policy(p_policy mnemo.policy, p_reason text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_policy.name is null then
        raise exception 'a policy needs a name' using errcode = 'MN002';
    end if;
    perform mnemo.check_policy_tier(t.tier) from unnest(array[p_policy.tier, p_policy.to_tier]) as t (tier) where t.tier is not null;
    if exists (select from mnemo.policy p where p.name = p_policy.name) then
        raise exception 'there is a policy % already', quote_literal(p_policy.name) using errcode = 'MN002';
    end if;
    return mnemo.change_policy(p_policy.name, p_policy, p_reason);
end
$$;
