-- Removes a job and the record of its runs. Waits for a step that is in progress. MN010 for an unknown job.
create or replace function mnemo.remove_job(name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.lock_job(remove_job.name);
    delete from mnemo.job j where j.name = remove_job.name;
    perform mnemo.record_audit('job.remove', remove_job.name, '{}', '');
end
$$;
