-- mnemo.best_distribution_of for the memories of all tenants, by their rates of access now.
-- bytes: of one memory; null: as measured, mnemo.mean_memory_bytes().
create or replace function mnemo.best_distribution(budget double precision, bytes double precision default null)
returns table (tier text, memories bigint, accesses_per_hour double precision, lowest_rate double precision,
               monthly_cost double precision, latency_ms double precision)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select * from mnemo.best_distribution_of(
        array(select mnemo.access_rate_at(a.tier_accesses, a.entered_tier_at, a.last_access, n.at)
              from mnemo.activity a cross join (select mnemo.now() as at) as n),
        coalesce(best_distribution.bytes, mnemo.mean_memory_bytes()), best_distribution.budget)
$$;
