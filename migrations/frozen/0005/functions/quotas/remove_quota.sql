-- Ends the limits of a tenant, and the counting of what it holds; false where it had none. Called by members of mnemo_owner.
create or replace function mnemo.remove_quota(tenant text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from mnemo.quota q where q.tenant = remove_quota.tenant;
    if not found then
        return false;
    end if;
    perform mnemo.record_audit('quota.remove', remove_quota.tenant, '{}', remove_quota.tenant);
    return true;
end
$$;
