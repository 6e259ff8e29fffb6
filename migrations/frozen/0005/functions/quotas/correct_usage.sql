-- Adds to the counters of a tenant, whatever its limits, where it has any: for what was stored before, and is counted now.
create or replace function mnemo.correct_usage(p_tenant text, p_memories bigint, p_bytes bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update mnemo.quota q
    set memories_used = q.memories_used + p_memories, bytes_used = q.bytes_used + p_bytes
    where q.tenant = p_tenant and (p_memories, p_bytes) <> (0, 0)
$$;
