-- Does steps of due jobs, a commit after each, until nothing is due or most_seconds have passed (looked at between
-- steps). Any number may run at once, beside `mnemo worker` too: they share the jobs, see mnemo.run_job_step.
-- Not inside a transaction block. Without a search path of its own, as a procedure that commits must be.
create or replace procedure mnemo.run_due_jobs(most_seconds double precision default null)
language plpgsql
as $$
declare
    v_begun   timestamptz := pg_catalog.clock_timestamp();
    v_outcome text;
    v_over    boolean;
begin
    -- Whatever the role's own level: in a snapshot as old as the wait for a lock, a step could only fail.
    commit;
    set transaction isolation level read committed;
    loop
        select s.outcome into v_outcome from mnemo.run_job_step() s;
        v_over := v_outcome is null
            or coalesce(extract(epoch from pg_catalog.clock_timestamp() - v_begun) >= most_seconds, false);
        commit;
        set transaction isolation level read committed;
        exit when v_over;
    end loop;
end
$$;
