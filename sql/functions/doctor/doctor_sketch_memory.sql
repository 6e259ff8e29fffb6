-- sketch_memory: the sketch index of the hot tier fits the memory that the server counts on for its cache.
create or replace function mnemo.doctor_sketch_memory() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('sketch_memory', 'warn',
        case when s.size > pg_size_bytes(current_setting('effective_cache_size')) then
            format('the sketch index of the hot tier has %s, effective_cache_size is %s',
                   pg_size_pretty(s.size), current_setting('effective_cache_size')) end,
        format('the sketch index of the hot tier has %s; shared_buffers %s, effective_cache_size %s',
               pg_size_pretty(s.size), current_setting('shared_buffers'), current_setting('effective_cache_size')),
        'demote memories, or give the server more memory and set shared_buffers and effective_cache_size to it')
    from (select coalesce(sum(pg_relation_size(i.indexrelid)), 0)::bigint as size
          from mnemo.segment g
          join pg_index i on i.indrelid = to_regclass(format('mnemo.%I', g.relation))
          join pg_class x on x.oid = i.indexrelid
          join pg_am m on m.oid = x.relam and m.amname = 'hnsw'
          where g.tier = 'hot') as s
$$;
