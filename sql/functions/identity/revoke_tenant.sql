-- Takes back what mnemo.grant_tenant granted; false when it was not granted. '*' takes back '*' alone. For members of
-- mnemo_owner. Transactions that asked for their tenant before go on with it to their end.
create or replace function mnemo.revoke_tenant(role name, tenant text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from mnemo.tenant_role t where t.role = revoke_tenant.role and t.tenant = revoke_tenant.tenant;
    if not found then
        return false;
    end if;
    perform mnemo.record_audit('tenant.revoke', revoke_tenant.role, '{}', case when revoke_tenant.tenant <> '*' then revoke_tenant.tenant else '' end);
    return true;
end
$$;
