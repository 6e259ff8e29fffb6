-- fsync: what was committed survives a power failure.
create or replace function mnemo.doctor_fsync() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('fsync', 'fail',
        case when current_setting('fsync') = 'off' then 'fsync is off: a power failure can destroy the database' end,
        'on',
        'set fsync = on in postgresql.conf and reload')
$$;
