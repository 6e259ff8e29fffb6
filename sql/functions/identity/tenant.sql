-- The tenant that the caller acts for: the setting mnemo.tenant; where it is not set the only one granted to the role, or
-- 'default' where that is among them. MN015 when the role may not act for it, or for several and does not say for which. Members of mnemo_owner and mnemo_worker, and superusers, may for all.
create or replace function mnemo.tenant() returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- After a SET LOCAL ends, the setting is '' and not null.
    v_asked   text := nullif(current_setting('mnemo.tenant', true), '');
    v_caller  name := mnemo.caller();
    v_granted text[];
begin
    if pg_has_role(v_caller, 'mnemo_owner', 'member') or pg_has_role(v_caller, 'mnemo_worker', 'member') then
        return coalesce(v_asked, 'default');
    end if;
    -- Looked up first, since every statement behind row-level security asks: granted to the role itself.
    if exists (select from mnemo.tenant_role t where t.role = v_caller and t.tenant = v_asked) then
        return v_asked;
    end if;
    v_granted := array(
        select t.tenant from mnemo.tenant_role t
        join pg_roles r on r.rolname = t.role
        where pg_has_role(v_caller, r.oid, 'member'));
    if v_asked is null then
        if cardinality(v_granted) = 1 and v_granted[1] <> '*' then
            return v_granted[1];
        elsif v_granted <> '{}' and 'default' <> all (v_granted) then
            -- To write for a tenant that nobody has named would be to mix up two of them.
            raise exception 'role % acts for several tenants, and mnemo.tenant says not for which', quote_ident(v_caller)
                using errcode = 'MN015', hint = 'Set mnemo.tenant, for a transaction: select set_config(''mnemo.tenant'', ..., true).';
        end if;
        v_asked := 'default';
    end if;
    if not v_granted && array[v_asked, '*'] then
        raise exception 'role % may not act for tenant %', quote_ident(v_caller), quote_literal(v_asked)
            using errcode = 'MN015',
                  hint = 'Set mnemo.tenant to one granted to the role; mnemo.grant_tenant(role, tenant) grants one.';
    end if;
    return v_asked;
end
$$;
