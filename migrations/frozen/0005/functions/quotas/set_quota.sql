-- Limits what a tenant may hold (memories; bytes by mnemo.payload_bytes) and write (rows a minute, as many at once). What is
-- not given is not limited; 0 refuses all. A limit below what is there stands: nothing is deleted, and nothing more comes in.
-- The first quota of a tenant counts what is there; writers of all tenants wait for that, recall goes on. MN002 for a
-- negative limit. Called by members of mnemo_owner.
-- Invariant kept: whoever writes after this commits sees the quota, and whoever wrote before is counted.
create or replace function mnemo.set_quota(
    tenant            text,
    memories          bigint default null,
    bytes             bigint default null,
    writes_per_minute integer default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    perform mnemo.check_tenant(tenant);
    if least(memories, bytes, writes_per_minute) < 0 then
        raise exception 'a quota must not be negative' using errcode = 'MN002', hint = 'mnemo.remove_quota(tenant) ends all limits.';
    end if;
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'a quota must be set in a transaction that is read committed'
            using errcode = 'MN002', hint = 'An older snapshot would not count what others have written since.';
    end if;
    if not exists (select from mnemo.quota q where q.tenant = set_quota.tenant) then
        -- Whoever looked for a quota and found none holds this table until the end of its transaction.
        perform mnemo.lock_patiently('exclusive', interval '100 milliseconds', mnemo.setting('rebuild_patience_seconds'), 'mnemo.quota');
        update mnemo.quota_change c set number = c.number + 1;
    end if;
    insert into mnemo.quota as q (tenant, memories, bytes, writes_per_minute, memories_used, bytes_used, writes_full_at, set_at)
    select tenant, memories, bytes, writes_per_minute, u.memories, u.bytes, mnemo.now(), mnemo.now()
    from mnemo.counted_usage(tenant) as u
    where not exists (select from mnemo.quota o where o.tenant = set_quota.tenant);
    if not found then
        update mnemo.quota q
        set memories = set_quota.memories, bytes = set_quota.bytes, writes_per_minute = set_quota.writes_per_minute, set_at = mnemo.now()
        where q.tenant = set_quota.tenant;
    end if;
    perform mnemo.injection_point('quota.set');
    perform mnemo.record_audit('quota.set', tenant,
        jsonb_build_object('memories', memories, 'bytes', bytes, 'writes_per_minute', writes_per_minute), tenant);
end
$$;
