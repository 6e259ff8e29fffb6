-- dead_rows: at most a fifth of a table's rows are dead, once there are 1,000 of them.
create or replace function mnemo.doctor_dead_rows() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('dead_rows', 'warn',
        string_agg(format('%s: %s dead, %s live', s.relname, s.n_dead_tup, s.n_live_tup), '; ' order by s.relname)
            filter (where s.n_dead_tup > greatest(1000, 0.25 * s.n_live_tup)),
        format('%s dead rows, %s live', sum(s.n_dead_tup), sum(s.n_live_tup)),
        'vacuum analyze these tables, and look for what keeps autovacuum away: long transactions, locks, its settings')
    from pg_stat_all_tables s
    where s.schemaname = 'mnemo'
$$;
