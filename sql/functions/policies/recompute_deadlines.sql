-- Has the deadlines of every memory computed again, from the start, by the next consolidation: mnemo.recompute_step.
create or replace function mnemo.recompute_deadlines() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    delete from mnemo.stale_deadline;
    insert into mnemo.stale_deadline (after) values ('00000000-0000-0000-0000-000000000000');
$$;
