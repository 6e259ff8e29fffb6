-- server: PostgreSQL 18 or newer, whose uuidv7() and OLD in RETURNING the write path uses.
create or replace function mnemo.doctor_server() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('server', 'fail',
        case when current_setting('server_version_num')::integer < 180000 then
            format('PostgreSQL %s', current_setting('server_version')) end,
        format('PostgreSQL %s', current_setting('server_version')),
        'upgrade the server to PostgreSQL 18')
$$;
