-- Makes a job due and wakes the workers; a step of it begins after this call. Waits for a step that is
-- in progress. MN010 for an unknown job, MN002 for a disabled one.
create or replace function mnemo.run_job_now(name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_job mnemo.job := mnemo.lock_job(run_job_now.name);
begin
    if not v_job.enabled then
        raise exception 'job % is disabled: %', quote_literal(run_job_now.name), v_job.disabled_reason
            using errcode = 'MN002', hint = 'Enable it with mnemo.alter_job(name, ''{"enabled": true}'').';
    end if;
    update mnemo.job j set next_run_at = least(j.next_run_at, mnemo.now()) where j.name = run_job_now.name;
    perform pg_notify('mnemo_job', run_job_now.name);
end
$$;
