-- vector_storage: hdv is PLAIN in every partition. Out of line, an exact scan takes four times as long.
create or replace function mnemo.doctor_vector_storage() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('vector_storage', 'fail',
        'hdv is not PLAIN in ' || string_agg(c.relname, ', ' order by c.relname) filter (where a.attstorage <> 'p'),
        format('hdv is PLAIN in %s partitions', count(*) - 1),
        'alter table mnemo.<partition> alter column hdv set storage plain, then rewrite its rows: vacuum full mnemo.<partition>')
    from pg_partition_tree('mnemo.memory') t
    join pg_class c on c.oid = t.relid
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'hdv'
$$;
