-- index_build: maintenance_work_mem holds the largest sketch index. A graph that outgrows it is built many times slower.
create or replace function mnemo.doctor_index_build() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('index_build', 'warn',
        case when s.size > pg_size_bytes(current_setting('maintenance_work_mem')) then
            format('the largest sketch index has %s, maintenance_work_mem is %s',
                   pg_size_pretty(s.size), current_setting('maintenance_work_mem')) end,
        format('the largest sketch index has %s, maintenance_work_mem is %s',
               pg_size_pretty(s.size), current_setting('maintenance_work_mem')),
        'set maintenance_work_mem above the size of the index before it is built again')
    from (select coalesce(max(pg_relation_size(i.indexrelid)), 0) as size
          from pg_partition_tree('mnemo.memory') t
          join pg_index i on i.indrelid = t.relid
          join pg_class x on x.oid = i.indexrelid
          join pg_am m on m.oid = x.relam and m.amname = 'hnsw'
          where t.isleaf) as s
$$;
