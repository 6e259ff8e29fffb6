-- heat_index: no index covers a column that every access changes. One that does ends heap-only updates of mnemo.activity.
create or replace function mnemo.doctor_heat_index() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('heat_index', 'warn',
        string_agg(distinct format('%s covers %s', x.relname, a.attname), '; '),
        'no index on what an access changes',
        'drop it: each access then writes one row in place, not an entry in every index as well')
    from pg_index i
    join pg_class x on x.oid = i.indexrelid
    join pg_am m on m.oid = x.relam and m.amname <> 'brin'
    -- Columns of expressions and predicates are dependencies too.
    join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = x.oid and d.refobjid = i.indrelid
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = d.refobjsubid
    where i.indrelid = 'mnemo.activity'::regclass
      and a.attname in ('ltp', 'ltp_at', 'last_access', 'access_count', 'leaves_tier_at')
$$;
