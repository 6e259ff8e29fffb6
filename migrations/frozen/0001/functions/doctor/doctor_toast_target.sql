-- toast_target: every partition has the row size above which text leaves the row. It is not inherited, and without
-- it PostgreSQL moves the text of every row out of line.
create or replace function mnemo.doctor_toast_target() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('toast_target', 'warn',
        'toast_tuple_target is not {toast_tuple_target} in ' || string_agg(c.relname, ', ' order by c.relname)
            filter (where c.reloptions @> array['toast_tuple_target={toast_tuple_target}'] is not true),
        format('toast_tuple_target is {toast_tuple_target} in %s partitions', count(*)),
        'alter table mnemo.<partition> set (toast_tuple_target = {toast_tuple_target}), then vacuum full mnemo.<partition>')
    from pg_partition_tree('mnemo.memory') t
    join pg_class c on c.oid = t.relid
    where t.isleaf
$$;
