-- tablespaces: partitions and their indexes lie in the tablespace of their tier. One made after the partition, or a
-- partition moved without its indexes, leaves them elsewhere.
create or replace function mnemo.doctor_tablespaces() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select x.relname, mnemo.tier_tablespace(g.tier) as wanted,
               coalesce(s.spcname, d.spcname) as found
        from mnemo.segment g
        join pg_class c on c.oid = to_regclass(format('mnemo.%I', g.relation))
        join pg_class x on x.oid = c.oid or x.oid in (select i.indexrelid from pg_index i where i.indrelid = c.oid)
        left join pg_tablespace s on s.oid = x.reltablespace
        cross join (select t.spcname from pg_database b join pg_tablespace t on t.oid = b.dattablespace
                    where b.datname = current_database()) as d
    )
    select mnemo.verdict('tablespaces', 'warn',
        string_agg(format('%s lies in %s', p.relname, p.found), '; ' order by p.relname) filter (where p.found <> p.wanted),
        string_agg(distinct p.found, ', '),
        'alter table mnemo.<partition> set tablespace mnemo_<tier>, and alter index for each of its indexes')
    from placed p
$$;
