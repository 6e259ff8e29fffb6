-- Which roles act for which tenants: the setting mnemo.tenant only chooses among them, since anybody can set it.
create table mnemo.tenant_role (
    role       name not null,
    tenant     text not null check (octet_length(tenant) between 1 and 1000),
    granted_at timestamptz not null,
    granted_by name not null,
    primary key (role, tenant)
);

comment on table mnemo.tenant_role is 'The tenants that a role, and whoever is a member of it, may act for; mnemo.grant_tenant and mnemo.revoke_tenant change it.';
comment on column mnemo.tenant_role.tenant is '*: any tenant, for the servers of an application, which set mnemo.tenant themselves.';
