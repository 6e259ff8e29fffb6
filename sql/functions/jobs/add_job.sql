-- Adds a job: every so often, from first_run_at (now) on, workers call the function, which takes one jsonb, does one
-- short transaction's worth of work and returns how much; they call it again until it returns 0. The search path it
-- runs under is pg_catalog, pg_temp, unless it sets its own.
-- Whoever may call this has any function executed with the rights of whoever runs the jobs: grant it only to roles
-- that are trusted as the owner is.
-- MN002 for a name that is taken, a function that does not exist or has another signature, and numbers out of range.
create or replace function mnemo.add_job(
    name         text,
    function     text,
    every        interval,
    arguments    jsonb default '{}',
    first_run_at timestamptz default null,
    max_failures integer default 5,
    backoff      interval default '10 seconds'
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_job mnemo.job;
begin
    v_job.name := add_job.name;
    v_job.function := add_job.function;
    v_job.arguments := add_job.arguments;
    v_job.every := add_job.every;
    v_job.enabled := true;
    v_job.next_run_at := coalesce(add_job.first_run_at, mnemo.now());
    v_job.failures := 0;
    v_job.max_failures := add_job.max_failures;
    v_job.backoff := add_job.backoff;
    perform mnemo.check_job(v_job);
    insert into mnemo.job select v_job.* on conflict do nothing;
    if not found then
        raise exception 'there is a job % already', quote_literal(add_job.name) using errcode = 'MN002';
    end if;
    perform pg_notify('mnemo_job', add_job.name);
    perform mnemo.record_audit('job.add', add_job.name, jsonb_build_object('function', add_job.function, 'every', add_job.every::text), '');
end
$$;
