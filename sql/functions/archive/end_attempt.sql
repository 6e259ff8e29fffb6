-- Ends an attempt: its segment is in p_state from now on, and nobody's.
create or replace function mnemo.end_attempt(p_attempt uuid, p_state text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update mnemo.segment s
    set state = p_state, attempt = null, lease_until = null, failures = 0, error = null, announced_at = null
    where s.attempt = p_attempt;
$$;
