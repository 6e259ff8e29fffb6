-- The policy of this kind for memories of a tier and collection: that of the collection itself before the general one.
-- No row where none applies.
create or replace function mnemo.policy_of(p_kind text, p_tier text, p_collection text) returns setof mnemo.policy
language sql stable
rows 1
set search_path = pg_catalog, pg_temp
as $$
    select p.* from mnemo.policy p
    where p.kind = p_kind and p.enabled and p.tier = p_tier and (p.collection is null or p.collection = p_collection)
    order by p.collection nulls last
    limit 1
$$;
