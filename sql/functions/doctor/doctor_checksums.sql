-- checksums: a page that the disk spoilt is noticed when it is read.
create or replace function mnemo.doctor_checksums() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('checksums', 'warn',
        case when current_setting('data_checksums') = 'off' then 'data checksums are off: a page spoilt by the disk is not noticed' end,
        'on',
        'stop the server and run pg_checksums --enable')
$$;
