-- autovacuum: dead rows are removed and statistics kept up without anybody doing it.
create or replace function mnemo.doctor_autovacuum() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('autovacuum', 'warn',
        case when current_setting('autovacuum') = 'off' or current_setting('track_counts') = 'off' then 'autovacuum is off: dead rows stay, statistics age, and transaction ids run out' end,
        'on',
        'set autovacuum = on and track_counts = on in postgresql.conf and reload')
$$;
