-- activity_updates: of the updates of mnemo.activity at least 95 % were heap-only, once there were 1,000 of them. Moves
-- change an indexed column and cannot be; those since the statistics were reset are not counted.
create or replace function mnemo.doctor_activity_updates() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('activity_updates', 'warn',
        case when s.n_tup_upd - m.moves >= 1000 and s.n_tup_hot_upd < 0.95 * (s.n_tup_upd - m.moves) then
            format('%s of %s updates were heap-only', s.n_tup_hot_upd, s.n_tup_upd - m.moves) end,
        format('%s of %s updates were heap-only', s.n_tup_hot_upd, greatest(s.n_tup_upd - m.moves, s.n_tup_hot_upd)),
        'rewritten keys and pins cannot be heap-only; for the rest see heat_index, keep fillfactor at 70, '
        'and end long transactions; pg_stat_reset_single_table_counters starts the count anew')
    from pg_stat_all_tables s
    cross join (
        select count(*) as moves
        from mnemo.move_log l
        where l.at >= coalesce((select d.stats_reset from pg_stat_database d where d.datname = current_database()), '-infinity')
    ) as m
    where s.relid = 'mnemo.activity'::regclass
$$;
