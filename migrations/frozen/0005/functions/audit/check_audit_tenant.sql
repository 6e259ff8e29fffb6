-- MN015 where the caller may not see the audit of a tenant ('': of the installation): only its own, unless it works for all.
create or replace function mnemo.check_audit_tenant(p_tenant text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_tenant is distinct from mnemo.tenant()
       and not (pg_has_role(mnemo.caller(), 'mnemo_owner', 'member') or pg_has_role(mnemo.caller(), 'mnemo_worker', 'member'))
    then
        raise exception 'role % may not see the audit of %', quote_ident(mnemo.caller()),
                case when p_tenant = '' then 'the installation' else format('tenant %L', p_tenant) end using errcode = 'MN015';
    end if;
end
$$;
