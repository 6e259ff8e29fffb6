-- statistics: tables of more than 1 MB have been analyzed, partitioned ones as a whole too, which autovacuum never does.
create or replace function mnemo.doctor_statistics() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with sized as (
        select c.relname, c.relkind,
               case c.relkind when 'r' then pg_relation_size(c.oid) else
                   (select sum(pg_relation_size(t.relid)) from pg_partition_tree(c.oid) t where t.isleaf) end as size
        from pg_class c
        where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p')
    )
    select mnemo.verdict('statistics', 'warn',
        'never analyzed: ' || string_agg(s.relname, ', ' order by s.relname),
        'every table of more than 1 MB has been analyzed',
        string_agg(format('analyze mnemo.%I', s.relname), '; ' order by s.relname))
    from sized s
    where s.size > 1048576
      -- pg_stats shows nothing of a table under row-level security, to its owner either.
      and not exists (select from pg_stat_all_tables n where n.schemaname = 'mnemo' and n.relname = s.relname
                        and coalesce(n.last_analyze, n.last_autoanalyze) is not null)
$$;
