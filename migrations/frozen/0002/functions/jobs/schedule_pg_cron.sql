-- Has pg_cron call mnemo.run_due_jobs() by this schedule, as its job 'mnemo', instead of or beside `mnemo worker`;
-- returns pg_cron's number of that job. It runs with the rights of the role that calls this; called again, it changes
-- the schedule. Seconds need pg_cron 1.5. The command stays one statement: beside another it could not commit.
-- MN002 where pg_cron is not in this database.
create or replace function mnemo.schedule_pg_cron(schedule text default '10 seconds') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_number bigint;
begin
    perform mnemo.require_pg_cron();
    if schedule is null then
        raise exception 'the schedule must not be null' using errcode = 'MN002';
    end if;
    execute 'select cron.schedule(''mnemo'', $1, ''call mnemo.run_due_jobs()'')' into v_number using schedule;
    return v_number;
end
$$;
