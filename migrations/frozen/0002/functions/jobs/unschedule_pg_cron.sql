-- Undoes mnemo.schedule_pg_cron of the same role; false where it was not in effect. MN002 where pg_cron is not in this database.
create or replace function mnemo.unschedule_pg_cron() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_there boolean;
begin
    perform mnemo.require_pg_cron();
    execute 'select exists (select from cron.job j where j.jobname = ''mnemo'' and j.username = current_user)' into v_there;
    if v_there then
        execute 'select cron.unschedule(''mnemo'')';
    end if;
    return v_there;
end
$$;
