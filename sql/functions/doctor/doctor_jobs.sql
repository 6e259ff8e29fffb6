-- jobs: each runs when it is due, and none has been given up. Without a worker (or pg_cron) nothing fades, moves or is
-- counted.
create or replace function mnemo.doctor_jobs() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('jobs', 'warn',
        string_agg(case
            when not j.enabled then format('job %s was disabled: %s', j.name, j.disabled_reason)
            when j.failures > 0 then format('job %s failed %s times in a row', j.name, j.failures)
            else format('job %s is overdue since %s', j.name, date_trunc('second', j.next_run_at))
        end, '; ' order by j.name) filter (where
            (not j.enabled and j.failures >= j.max_failures)
            or (j.enabled and (j.failures > 0 or j.next_run_at < mnemo.now() - greatest(10 * j.every, interval '10 minutes')))),
        format('jobs enabled: %s', count(*) filter (where j.enabled)),
        'run mnemo worker, or call mnemo.schedule_pg_cron(); mnemo.job_status and mnemo.job_run say why one failed')
    from mnemo.job j
$$;
