-- Locks the quota row of this tenant, so that writers of a tenant with a quota go one after the other; false where there is
-- none, and then nothing is to be charged. p_writes: as many rows are about to be written; MN016 where that is more than
-- may be written now. The caller has locked the table (mnemo.lock_for_writing), and locks keys and other rows afterwards.
-- Invariant kept: whoever finds no quota holds a lock on the table mnemo.quota from here on, for which the first quota of any
-- tenant waits; a transaction whose snapshot is older than the quota gets a serialization failure.
create or replace function mnemo.lock_quota(p_writes bigint default 0) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quota mnemo.quota;
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        perform from mnemo.quota_change c for share;
    end if;
    select q.* into v_quota from mnemo.quota q where q.tenant = mnemo.tenant() for no key update;
    if not found then
        return false;
    end if;
    perform mnemo.writes_full_at(v_quota, p_writes);
    return true;
end
$$;
