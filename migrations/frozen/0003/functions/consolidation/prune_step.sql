-- Deletes the next rows of what is kept for prune_after_days only: moves, ended runs of jobs, telemetry, and what recall
-- learned and nobody renewed; and hypervectors that have waited a day for a move that did not come.
-- At most {"rows": 10000} a call; returns how many, 0 when nothing is left.
-- Guaranteed: never a memory, its activity or its counts; never the last run of a job, or one that is open.
create or replace function mnemo.prune_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rows bigint := coalesce((arguments ->> 'rows')::bigint, 10000);
    v_kept timestamptz := mnemo.now() - make_interval(secs => mnemo.setting('prune_after_days') * 86400);
    v_done bigint;
begin
    delete from mnemo.move_log l
    where l.ctid = any (array(select o.ctid from mnemo.move_log o where o.at < v_kept limit v_rows for update skip locked));
    get diagnostics v_done = row_count;
    if v_done = 0 then
        delete from mnemo.job_run r
        where r.run = any (array(
            select o.run from mnemo.job_run o
            where o.ended_at < v_kept and o.run < (select max(l.run) from mnemo.job_run l where l.job = o.job)
            limit v_rows
            for update skip locked));
        get diagnostics v_done = row_count;
    end if;
    if v_done = 0 then
        delete from mnemo.telemetry t
        where t.ctid = any (array(select o.ctid from mnemo.telemetry o where o.at < v_kept limit v_rows for update skip locked));
        get diagnostics v_done = row_count;
    end if;
    if v_done = 0 then
        delete from mnemo.association s
        where s.ctid = any (array(select o.ctid from mnemo.association o where o.at < v_kept limit v_rows for update skip locked));
        get diagnostics v_done = row_count;
    end if;
    if v_done = 0 then
        delete from mnemo.pending_hypervector p
        where p.ctid = any (array(
            select o.ctid from mnemo.pending_hypervector o where o.made_at < mnemo.now() - interval '1 day' limit v_rows for update skip locked));
        get diagnostics v_done = row_count;
    end if;
    if v_done = 0 then
        delete from mnemo.focus f
        where f.ctid = any (array(select o.ctid from mnemo.focus o where o.at < v_kept limit v_rows for update skip locked));
        get diagnostics v_done = row_count;
    end if;
    return v_done;
end
$$;
