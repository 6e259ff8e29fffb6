-- Counts what this tenant stores more (or less: negative), and p_writes rows written, in the transaction that does it; does
-- nothing where the tenant has no quota. MN016 where that would take it over a limit: whoever frees as much as it takes is
-- never refused, also above a limit that was lowered since. Who locks other rows before calls mnemo.lock_quota first.
-- Invariant kept: the counters change with what is counted, or not at all.
create or replace function mnemo.charge(p_memories bigint, p_bytes bigint, p_writes bigint default 0) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quota mnemo.quota;
    v_full  timestamptz;
begin
    if not mnemo.lock_quota() then
        return;
    end if;
    select q.* into v_quota from mnemo.quota q where q.tenant = mnemo.tenant();
    v_full := mnemo.writes_full_at(v_quota, p_writes);
    if p_memories > 0 and v_quota.memories_used + p_memories > v_quota.memories then
        perform mnemo.refuse_quota(v_quota.tenant, 'memories', v_quota.memories, v_quota.memories_used, p_memories,
                                   'Nothing was stored; forgetting others makes room.');
    end if;
    if p_bytes > 0 and v_quota.bytes_used + p_bytes > v_quota.bytes then
        perform mnemo.refuse_quota(v_quota.tenant, 'bytes', v_quota.bytes, v_quota.bytes_used, p_bytes,
                                   'Nothing was stored; forgetting others makes room.');
    end if;
    update mnemo.quota q
    set memories_used = q.memories_used + p_memories, bytes_used = q.bytes_used + p_bytes, writes_full_at = v_full
    where q.tenant = v_quota.tenant;
    perform mnemo.injection_point('quota.charged');
end
$$;
