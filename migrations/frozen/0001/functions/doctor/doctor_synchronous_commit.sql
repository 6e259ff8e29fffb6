-- synchronous_commit: a memory that was acknowledged survives a crash.
create or replace function mnemo.doctor_synchronous_commit() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('synchronous_commit', 'warn',
        case when current_setting('synchronous_commit') = 'off' then 'synchronous_commit is off: a crash loses the last memories that were acknowledged' end,
        'an acknowledged memory is on disk',
        'set synchronous_commit = on for this role and database')
$$;
