-- Makes this database the one that the epoch keys of all its tenants belong to, after a failover, or in a copy whose original is gone
-- or has a key store of its own: from here on it destroys their keys. False when it was that already, or has had no epoch.
-- Called by members of mnemo_owner.
create or replace function mnemo.adopt_vault() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before text;
begin
    select h.fingerprint into v_before from mnemo.vault_home h where h.fingerprint <> mnemo.fingerprint() for update;
    if not found then
        return false;
    end if;
    update mnemo.vault_home h set fingerprint = mnemo.fingerprint(), since = clock_timestamp();
    perform mnemo.record_audit('vault.adopt', null, jsonb_build_object('from', v_before, 'to', mnemo.fingerprint()), '');
    return true;
end
$$;
