-- Does one step of one due job in the caller's transaction; commit after each. outcome says what the step was:
-- 'opened' (a run began: nothing else, so that others see it running), 'worked' (there may be more), 'succeeded' or
-- 'failed' (the run ended), null (nothing is due that nobody else works on; next_due_at says when something will be).
-- Of the due jobs, the one whose last step is longest ago has its turn. Its row is locked until the transaction ends,
-- and locked rows are skipped: no job ever has two steps at a time, and a worker that dies leaves nothing behind but
-- an open run, with which the next worker goes on.
-- A step that raises is undone, alone: its error is recorded, the run has failed, the job waits longer after each
-- failure and is disabled after max_failures in a row, unless the last says that the event backlog is full (MN011), or is
-- of the kind that trying again ends (class 40): the job is not to blame, and nobody would enable it. A cancelled step is no failure: query_canceled goes through,
-- and the step is done again later. So run it without statement_timeout, or a step too slow is repeated for ever.
-- A job's deferred constraints are checked in its step: at the commit they would fail whoever runs the jobs. What it
-- sets mnemo.tenant and mnemo.clock to ends with it. MN002 when a job runs jobs.
-- Jobs of the function leaving_out, schema-qualified, are as if they were not due: their worker prepares something yet.
create or replace function mnemo.run_job_step(
    worker text default null,
    leaving_out text default null,
    out job text, out run bigint, out outcome text, out work bigint, out next_due_at timestamptz
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_worker text := coalesce(run_job_step.worker, ltrim(format('%s %s', current_setting('application_name'), pg_backend_pid())));
    v_job    mnemo.job;
    v_run    bigint;
    v_begun  timestamptz;
    v_tenant text := coalesce(current_setting('mnemo.tenant', true), '');
    v_clock  text := coalesce(current_setting('mnemo.clock', true), '');
    v_error  text;
    v_detail text;
    v_state  text;
    v_over   boolean;
begin
    -- Its own locks would not keep it from the job that it is part of.
    if current_setting('mnemo.job_at_work', true) <> '' then
        raise exception 'job % cannot run jobs itself', quote_literal(current_setting('mnemo.job_at_work')) using errcode = 'MN002';
    end if;
    select j.* into v_job from mnemo.job j
    where j.enabled and j.next_run_at <= mnemo.now() and j.function is distinct from run_job_step.leaving_out
    order by j.last_step_at nulls first, j.next_run_at, j.name
    limit 1 for no key update skip locked;
    if not found then
        select min(j.next_run_at) into next_due_at from mnemo.job j where j.enabled and j.next_run_at > mnemo.now();
        return;
    end if;

    job := v_job.name;
    select r.run into v_run from mnemo.job_run r where r.job = v_job.name and r.state = 'running';
    if not found then
        insert into mnemo.job_run (job, started_at, worker) values (v_job.name, mnemo.now(), v_worker) returning run into v_run;
        run := v_run;
        outcome := 'opened';
        perform mnemo.injection_point('job.opened');
        return;
    end if;

    run := v_run;
    v_begun := clock_timestamp();
    begin
        perform mnemo.injection_point('job.claimed');
        perform set_config('mnemo.job_at_work', v_job.name, true);
        execute format('select %s($1)', mnemo.job_function(v_job.name, v_job.function)) into work using v_job.arguments;
        work := coalesce(work, 0);
        if work < 0 then
            raise exception 'job % returned %, not an amount of work', quote_literal(v_job.name), work using errcode = 'MN002';
        end if;
        set constraints all immediate;
        perform set_config('mnemo.job_at_work', '', true);
        if coalesce(current_setting('mnemo.tenant', true), '') <> v_tenant then
            perform set_config('mnemo.tenant', v_tenant, false);
        end if;
        if coalesce(current_setting('mnemo.clock', true), '') <> v_clock then
            perform set_config('mnemo.clock', v_clock, false);
        end if;
        perform mnemo.injection_point('job.stepped');
    exception
        when others or assert_failure then
            get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail, v_state = returned_sqlstate;
            v_error := left(concat_ws('. ', format('%s (%s)', v_error, v_state), nullif(v_detail, '')), 2000);
            work := 0;
            perform mnemo.injection_point('job.failed');
    end;
    v_over := v_error is not null and v_job.failures + 1 >= v_job.max_failures and v_state <> 'MN011' and v_state !~ '^40';
    outcome := case when v_error is not null then 'failed' when work > 0 then 'worked' else 'succeeded' end;

    update mnemo.job_run r
    set steps = r.steps + (v_error is null)::integer,
        work = r.work + least(run_job_step.work, 9223372036854775807 - r.work),
        seconds = r.seconds + extract(epoch from clock_timestamp() - v_begun),
        worker = v_worker,
        state = case when outcome = 'worked' then r.state else outcome end,
        ended_at = case when outcome <> 'worked' then mnemo.now() end,
        error = v_error
    where r.run = v_run;
    update mnemo.job j
    set last_step_at = clock_timestamp(),
        next_run_at = case outcome
            when 'worked' then j.next_run_at
            -- As long as the job keeps pace, its times lie on one grid.
            when 'succeeded' then case when j.next_run_at + j.every > mnemo.now() then j.next_run_at else mnemo.now() end + j.every
            else mnemo.now() + least(j.backoff * power(2, least(j.failures, 30)), greatest(j.every, interval '1 hour'))
        end,
        failures = case outcome when 'worked' then j.failures when 'succeeded' then 0 else j.failures + 1 end,
        enabled = j.enabled and not v_over,
        disabled_reason = case
            when j.enabled and v_over
            then format('failed %s times in a row, at last with: %s', j.failures + 1, v_error)
            else j.disabled_reason
        end
    where j.name = v_job.name;
    perform mnemo.injection_point('job.recorded');
end
$$;
