-- Raises MN002 where pg_cron is not in this database.
create or replace function mnemo.require_pg_cron() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('cron.job') is null then
        raise exception 'pg_cron is not installed in database %', quote_literal(current_database())
            using errcode = 'MN002',
                  hint = 'It lives in the database that cron.database_name names: create extension pg_cron there, or run the jobs with mnemo worker.';
    end if;
end
$$;
