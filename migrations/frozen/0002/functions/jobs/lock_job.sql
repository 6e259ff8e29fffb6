-- A job by name, locked until the transaction ends; MN010 when there is none.
create or replace function mnemo.lock_job(p_name text) returns mnemo.job
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_job mnemo.job;
begin
    select * into v_job from mnemo.job j where j.name = p_name for update;
    if not found then
        raise exception 'unknown job %', coalesce(quote_literal(p_name), 'null')
            using errcode = 'MN010', hint = 'The view mnemo.job_status lists them.';
    end if;
    return v_job;
end
$$;
