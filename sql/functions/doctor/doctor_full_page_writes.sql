-- full_page_writes: a page torn by a power failure can be restored.
create or replace function mnemo.doctor_full_page_writes() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('full_page_writes', 'fail',
        case when current_setting('full_page_writes') = 'off' then 'full_page_writes is off: a page torn by a power failure stays torn' end,
        'on',
        'set full_page_writes = on in postgresql.conf and reload, unless the file system writes pages whole')
$$;
