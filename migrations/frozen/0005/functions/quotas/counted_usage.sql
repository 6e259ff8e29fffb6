-- What a tenant stores, by counting all of it: what the counters of its quota say, where it has one. Vault items count with
-- the bytes of their chunks, names and metadata, and not among the memories.
create or replace function mnemo.counted_usage(p_tenant text) returns table (memories bigint, bytes bigint)
language sql stable
rows 1
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(s.memories), 0)::bigint, coalesce(sum(s.bytes), 0)::bigint
    from (select count(*) as memories, sum(mnemo.payload_bytes(m)) as bytes from mnemo.memory m where m.tenant = p_tenant
          union all
          select count(*), sum(mnemo.payload_bytes(a)) from mnemo.archived_memory a where a.tenant = p_tenant
          union all
          select 0, sum(i.stored_bytes) from mnemo.vault_item i where i.tenant = p_tenant) as s
$$;
