-- The tenants whose data must not go to the object store that this database uses (mnemo.residency): their memories are neither
-- archived nor copied there, and stay in the database. Whoever is confined to a tenant sees that one alone.
create or replace function mnemo.held_tenants() returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(r.tenant order by r.tenant), '{}') from mnemo.residency r where r.held
$$;
