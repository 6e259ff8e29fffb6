-- Items of this tenant whose metadata contain p_metadata. Behind row-level security the index would not be used (jsonb operators
-- are not leakproof): this runs as mnemo_engine, and names the tenant itself.
create or replace function mnemo.vault_candidates(p_metadata jsonb) returns setof uuid
language sql stable
rows 100
set search_path = pg_catalog, pg_temp
as $$
    select i.id from mnemo.vault_item i where i.tenant = (select mnemo.tenant()) and i.metadata @> p_metadata
$$;
