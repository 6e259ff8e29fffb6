-- sketch_index: every partition has its HNSW index on the sketch, valid. Without one each search reads the whole tier.
create or replace function mnemo.doctor_sketch_index() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with partition as (
        select c.relname, sketch.good
        from pg_partition_tree('mnemo.memory') t
        join pg_class c on c.oid = t.relid
        left join lateral (
            select bool_or(i.indisvalid and i.indisready) as good
            from pg_index i
            join pg_class x on x.oid = i.indexrelid
            join pg_am m on m.oid = x.relam
            where i.indrelid = c.oid and m.amname = 'hnsw'
              and pg_get_indexdef(i.indexrelid) ~* 'substring[(]"?hdv"? from 1 for {sketch_bits}[)][)]::bit[(]{sketch_bits}[)]'
        ) as sketch on true
        where t.isleaf
    )
    select mnemo.verdict('sketch_index', 'fail',
        nullif(concat_ws('; ',
            'no sketch index on ' || string_agg(p.relname, ', ' order by p.relname) filter (where p.good is null),
            'invalid sketch index on ' || string_agg(p.relname, ', ' order by p.relname) filter (where not p.good)), ''),
        format('valid on %s partitions', count(*)),
        'reindex index concurrently the invalid one; a missing one: select mnemo.index_partition(partition, tier) after dropping its other indexes')
    from partition p
$$;
