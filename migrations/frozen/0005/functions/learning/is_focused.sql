-- Whether memories of a tenant, in this context or (null) in any, were recalled lately. Runs as mnemo_engine and takes the tenant
-- from its caller, since a recall would pay for a policy here as much as for the look-up.
create or replace function mnemo.is_focused(p_tenant text, p_context text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (select from mnemo.focus f where f.tenant = p_tenant and (p_context is null or f.context = p_context));
end
$$;
