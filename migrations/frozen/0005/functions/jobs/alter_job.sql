-- Changes a job: any of function, arguments, every, enabled, next_run_at, max_failures and backoff, as in
-- '{"every": "5 minutes"}'. Enabling one that was disabled forgets its failures and makes it due. Waits for a step
-- that is in progress. MN010 for an unknown job, MN002 for an unknown key and for what mnemo.add_job refuses.
create or replace function mnemo.alter_job(name text, settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before mnemo.job := mnemo.lock_job(alter_job.name);
    v_job    mnemo.job;
    v_key    text;
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'the settings of job % must be a JSON object, not %', quote_literal(alter_job.name), coalesce(left(settings::text, 100), 'null')
            using errcode = 'MN002';
    end if;
    select k into v_key from jsonb_object_keys(settings) as k
    where k not in ('function', 'arguments', 'every', 'enabled', 'next_run_at', 'max_failures', 'backoff') limit 1;
    if found then
        raise exception 'a job has no setting %', quote_literal(v_key) using errcode = 'MN002';
    end if;
    begin
        v_job := jsonb_populate_record(v_before, settings);
    exception when data_exception then
        raise exception 'a setting of job % cannot be read: %', quote_literal(alter_job.name), sqlerrm using errcode = 'MN002';
    end;
    if v_job.enabled is null then
        raise exception 'enabled of job % must be true or false, not null', quote_literal(alter_job.name) using errcode = 'MN002';
    end if;
    if v_job.enabled and not v_before.enabled then
        v_job.failures := 0;
        v_job.disabled_reason := null;
        v_job.next_run_at := case when settings ? 'next_run_at' then v_job.next_run_at else least(v_job.next_run_at, mnemo.now()) end;
    elsif v_before.enabled and not v_job.enabled then
        v_job.disabled_reason := format('disabled by %s', mnemo.caller());
    end if;
    -- What is missing now must not keep anyone from disabling the job.
    if v_job.enabled or settings - 'enabled' <> '{}' then
        perform mnemo.check_job(v_job);
    end if;
    update mnemo.job j
    set (function, arguments, every, enabled, disabled_reason, next_run_at, failures, max_failures, backoff)
      = (v_job.function, v_job.arguments, v_job.every, v_job.enabled, v_job.disabled_reason, v_job.next_run_at, v_job.failures,
         v_job.max_failures, v_job.backoff)
    where j.name = alter_job.name;
    perform pg_notify('mnemo_job', alter_job.name);
    -- What a job is called with may be nobody's business.
    perform mnemo.record_audit('job.alter', alter_job.name, jsonb_build_object(
        'settings', array(select jsonb_object_keys(settings)), 'function', v_job.function, 'enabled', v_job.enabled), '');
end
$$;
