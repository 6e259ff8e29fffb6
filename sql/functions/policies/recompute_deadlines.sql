-- Has the deadlines of every memory computed again, from the start, by the next consolidation: mnemo.recompute_step.
-- Waits for a step under way, which may have read the rules before they changed.
create or replace function mnemo.recompute_deadlines() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into mnemo.stale_deadline (after, since) values ('00000000-0000-0000-0000-000000000000', pg_current_xact_id())
    on conflict (one) do update set after = excluded.after, since = excluded.since;
$$;
