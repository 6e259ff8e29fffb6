-- memory_updates: partitions of mnemo.memory are not used as counters. An update of any column there enters the row
-- into the HNSW index once more.
create or replace function mnemo.doctor_memory_updates() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('memory_updates', 'warn',
        string_agg(format('%s: %s updates of %s rows', s.relname, s.n_tup_upd, s.n_live_tup), '; ' order by s.relname)
            filter (where s.n_tup_upd - s.n_tup_hot_upd > greatest(1000, s.n_live_tup)),
        format('%s updates of %s rows', sum(s.n_tup_upd), sum(s.n_live_tup)),
        'keep what changes often out of attributes: each update costs an insertion into the index and leaves a dead entry; '
        'then vacuum and reindex the partition')
    from pg_partition_tree('mnemo.memory') t
    join pg_stat_all_tables s on s.relid = t.relid
    where t.isleaf
$$;
