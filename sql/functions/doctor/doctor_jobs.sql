-- jobs: each runs when it is due, none has been given up, and mnemo_owner, as which they run, may execute their functions. Without a worker (or pg_cron) nothing fades, moves or is
-- counted.
create or replace function mnemo.doctor_jobs() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('jobs', 'warn',
        string_agg(case
            when not j.enabled then format('job %s was disabled: %s', j.name, j.disabled_reason)
            when not f.may then format('job %s calls %s, which mnemo_owner may not execute', j.name, j.function)
            when j.failures > 0 then format('job %s failed %s times in a row', j.name, j.failures)
            else format('job %s is overdue since %s', j.name, date_trunc('second', j.next_run_at))
        end, '; ' order by j.name) filter (where
            (not j.enabled and j.failures >= j.max_failures)
            or (j.enabled and (not f.may or j.failures > 0 or j.next_run_at < mnemo.now() - greatest(10 * j.every, interval '10 minutes')))),
        format('jobs enabled: %s', count(*) filter (where j.enabled)),
        'run mnemo worker, or call mnemo.schedule_pg_cron(); mnemo.job_status and mnemo.job_run say why one failed; docs/jobs.md says what to grant')
    from mnemo.job j
    cross join lateral (
        select coalesce(bool_and(has_function_privilege('mnemo_owner', p.oid, 'execute') and has_schema_privilege('mnemo_owner', p.pronamespace, 'usage')),
                        true) as may
        -- By name: to_regprocedure fails where the schema may not be used.
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where array[n.nspname::text, p.proname::text] = parse_ident(j.function)
          and p.proargtypes[0] = 'jsonb'::regtype and p.pronargs = 1
    ) as f
$$;
