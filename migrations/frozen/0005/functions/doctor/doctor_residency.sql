-- residency: no data of a tenant is in an object store that must not hold it; says whose memories stay in the database for it.
create or replace function mnemo.doctor_residency() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with held as materialized (
        select h.tenant,
               (select count(*) from mnemo.archived_memory a where a.tenant = h.tenant) as archived,
               (select count(*) from mnemo.tombstone t where t.tenant = h.tenant) as dead
        from unnest(mnemo.held_tenants()) as h (tenant)
    )
    select mnemo.verdict('residency', 'warn',
        (select string_agg(format('of tenant %L %s memories and %s dead rows are in %s, which must not hold them', h.tenant, h.archived, h.dead, i.store),
                           '; ' order by h.tenant)
         from held h join mnemo.identity i on i.is_current
         where h.archived + h.dead > 0),
        case when not exists (select from mnemo.residency) then 'every tenant may be in any store'
             when not exists (select from held) then 'every tenant may be in the store in use'
             else format('kept in the database, not archived and not copied: %s', (select string_agg(quote_literal(h.tenant), ', ' order by h.tenant) from held h))
        end,
        'run mnemo worker where it reaches the store: it brings memories back and leaves dead rows out; objects go after the grace period')
$$;
