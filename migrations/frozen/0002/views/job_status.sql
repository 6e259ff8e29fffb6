-- Each job, how its last run went, and how it has done lately.
create or replace view mnemo.job_status as
select j.name, j.function, j.every, j.enabled,
       case
           when not j.enabled then 'disabled'
           when last.state = 'running' then 'running'
           when j.failures > 0 then 'failing'
           when j.next_run_at <= mnemo.now() then 'due'
           else 'idle'
       end as state,
       j.next_run_at, last.run as last_run, last.started_at as last_started_at, last.ended_at as last_ended_at,
       last.seconds as last_seconds, last.steps as last_steps, last.work as last_work, last.error as last_error,
       last.worker as last_worker, j.failures, j.disabled_reason, recent.success_rate
from mnemo.job j
left join lateral (
    select r.* from mnemo.job_run r where r.job = j.name order by r.run desc limit 1
) last on true
left join lateral (
    select avg((ended.state = 'succeeded')::integer)::double precision as success_rate
    from (
        select r.state from mnemo.job_run r where r.job = j.name and r.state <> 'running' order by r.run desc limit 20
    ) ended
) recent on true;

comment on view mnemo.job_status is 'Jobs: when they run, how the last run went, and why one is disabled.';
comment on column mnemo.job_status.state is 'idle, due, running (a run is open), failing (waits after a failure), or disabled.';
comment on column mnemo.job_status.last_seconds is 'Real time in the steps of the last run that have ended.';
comment on column mnemo.job_status.success_rate is 'Share of the last 20 ended runs that succeeded; null: none has ended.';
