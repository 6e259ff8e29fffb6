-- cold_partitions: at most 8. A search of the cold tier asks the index of each, and is planned over all of them.
create or replace function mnemo.doctor_cold_partitions() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('cold_partitions', 'warn',
        case when count(*) > 8 then format('%s partitions of the cold tier: each search asks the index of every one', count(*)) end,
        format('partitions of the cold tier: %s', count(*)),
        'merge small segments, or archive the oldest')
    from mnemo.segment g
    where g.tier = 'cold'
$$;
