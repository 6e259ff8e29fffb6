-- partitions: at most 8 of a tier. A search of it asks the index of each, and is planned over all of them.
create or replace function mnemo.doctor_partitions() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('partitions', 'warn',
        string_agg(format('%s partitions of the %s tier: each search asks the index of every one', g.number, g.tier), '; ' order by g.tier)
            filter (where g.number > 8),
        string_agg(format('%s %s', g.number, g.tier), ', ' order by g.tier),
        'call mnemo.consolidate(), which merges the small ones, and see that the job consolidate runs; or archive the oldest')
    from (select s.tier, count(*) as number from mnemo.segment s group by s.tier) as g
$$;
