-- search_settings: nothing set for the session, the role or the database turns searches away from the index or limits them.
create or replace function mnemo.doctor_search_settings() returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_trouble text;
begin
    perform '[1]'::public.vector;
    select string_agg(t.trouble, '; ' order by t.trouble) into v_trouble
    from (
        select 'enable_indexscan is off: every search reads the whole tier' as trouble
        where current_setting('enable_indexscan') = 'off'
        union all
        select format('hnsw.max_scan_tuples is %s: filtered searches give up early', current_setting('hnsw.max_scan_tuples'))
        where current_setting('hnsw.max_scan_tuples')::integer < 20000
        union all
        select format('%s is set for %s: it overrides what callers expect of their own queries', split_part(c.entry, '=', 1),
                      concat_ws(' in ', case when s.setrole <> 0 then 'role ' || s.setrole::regrole end,
                                        case when s.setdatabase <> 0 then 'this database' else 'all databases' end))
        from pg_db_role_setting s
        cross join unnest(s.setconfig) as c (entry)
        where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
          and split_part(c.entry, '=', 1) in ('hnsw.ef_search', 'hnsw.iterative_scan', 'enable_indexscan', 'enable_seqscan', 'enable_sort')
    ) as t;
    return mnemo.verdict('search_settings', 'warn', v_trouble, 'nothing overrides what a search sets',
        'reset them: alter database ... reset, alter role ... reset');
end
$$;
