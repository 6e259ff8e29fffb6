-- Raises MN002 where a job as it would be stored cannot be one.
create or replace function mnemo.check_job(p_job mnemo.job) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong text := case
        when p_job.name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$' is not true then 'its name must be 1 to 63 letters, digits or _.:-'
        when (p_job.every > interval '0' and p_job.every <= interval '100 years') is not true
            then format('every must be above 0 and at most 100 years, not %s', coalesce(p_job.every::text, 'null'))
        when jsonb_typeof(p_job.arguments) is distinct from 'object'
            then format('arguments must be a JSON object, not %s', coalesce(left(p_job.arguments::text, 100), 'null'))
        when p_job.next_run_at is null then 'the time of its next run must not be null'
        when (p_job.max_failures between 1 and 1000) is not true
            then format('max_failures must be from 1 to 1000, not %s', coalesce(p_job.max_failures::text, 'null'))
        when (p_job.backoff between interval '1 millisecond' and interval '1 hour') is not true
            then format('backoff must be from 1 millisecond to 1 hour, not %s', coalesce(p_job.backoff::text, 'null'))
    end;
begin
    if v_wrong is not null then
        raise exception 'job % is not possible: %', coalesce(quote_literal(p_job.name), 'null'), v_wrong using errcode = 'MN002';
    end if;
    perform mnemo.job_function(p_job.name, p_job.function);
end
$$;
