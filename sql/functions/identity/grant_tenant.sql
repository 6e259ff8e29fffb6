-- Lets a role, and whoever is a member of it, act for a tenant; '*': for any. False when it could already. MN002 for a role
-- that is not there and for no tenant. For members of mnemo_owner.
create or replace function mnemo.grant_tenant(role name, tenant text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if grant_tenant.role is null or not exists (select from pg_roles r where r.rolname = grant_tenant.role) then
        raise exception 'there is no role %', coalesce(quote_literal(grant_tenant.role), 'null') using errcode = 'MN002';
    elsif coalesce(octet_length(grant_tenant.tenant), 0) not between 1 and 1000 then
        raise exception 'a tenant has 1 to 1000 bytes, not %', coalesce(octet_length(grant_tenant.tenant), 0) using errcode = 'MN002';
    end if;
    insert into mnemo.tenant_role (role, tenant, granted_at, granted_by)
    values (grant_tenant.role, grant_tenant.tenant, mnemo.now(), mnemo.caller())
    on conflict do nothing;
    if not found then
        return false;
    end if;
    perform mnemo.record_audit('tenant.grant', grant_tenant.role, '{}', case when grant_tenant.tenant <> '*' then grant_tenant.tenant else '' end);
    return true;
end
$$;
