-- isolation: every table with rows of tenants, and every partition, is under forced row-level security with its two policies; views
-- have the rights of their readers; functions that run as their owners have a pinned search_path and are nobody's by default; no
-- role stands above the policies that is not meant to. Where only people are wrong (grants), it warns.
create or replace function mnemo.doctor_isolation() returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_broken  text;
    v_trouble text;
    v_tables  bigint;
begin
    select nullif(concat_ws('; ',
        (select string_agg(format('%s shows rows of all tenants', c.relname), '; ' order by c.relname)
         from pg_class c
         where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped)
           and not (c.relrowsecurity and c.relforcerowsecurity and (
               select array_agg(concat_ws(' ', p.polname, pg_get_expr(p.polqual, c.oid)) order by p.polname) from pg_policy p where p.polrelid = c.oid)
               = array['engine_rows true', 'tenant_rows (tenant = ( SELECT mnemo.tenant() AS tenant))'])),
        (select string_agg(format('view %s has its owner''s rights', c.relname), '; ' order by c.relname)
         from pg_class c
         where c.relnamespace = 'mnemo'::regnamespace and c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)),
        (select string_agg(format('function %s runs as its owner without a search_path of its own', p.proname), '; ' order by p.proname)
         from pg_proc p
         where p.pronamespace = 'mnemo'::regnamespace and p.prosecdef
           and not exists (select from unnest(p.proconfig) as s (setting) where s.setting like 'search\_path=pg\_catalog%pg\_temp')),
        (select string_agg(format('anybody may execute %s', p.proname), '; ' order by p.proname)
         from pg_proc p
         where p.pronamespace = 'mnemo'::regnamespace
           and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0)),
        (select string_agg(format('role %s %s', r.rolname, case when r.rolcanlogin then 'can log in' else 'stands above row-level security' end),
                           '; ' order by r.rolname)
         from pg_roles r
         where r.rolname in ('mnemo_owner', 'mnemo_api', 'mnemo_engine', 'mnemo_app', 'mnemo_worker', 'mnemo_reader', 'mnemo_vault')
           and (r.rolcanlogin or r.rolsuper or r.rolbypassrls))), '')
    into v_broken;
    if v_broken is not null then
        return mnemo.verdict('isolation', 'fail', v_broken, null,
            'tenants may see each other: take the change back, or run sql/grants.sql again as the role that installed Mnemo');
    end if;
    select nullif(concat_ws('; ',
        (select string_agg(distinct format('role %s may act for tenants, and is not there', t.role), '; ')
         from mnemo.tenant_role t where not exists (select from pg_roles r where r.rolname = t.role)),
        (select string_agg(distinct format('role %s may act for some tenants, and sees all', t.role), '; ')
         from mnemo.tenant_role t join pg_roles r on r.rolname = t.role
         where r.rolname not in ('mnemo_owner', 'mnemo_worker')
           and (r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, 'mnemo_worker', 'member') or pg_has_role(r.oid, 'mnemo_owner', 'member')
                or pg_has_role(r.oid, 'mnemo_engine', 'member') or pg_has_role(r.oid, 'mnemo_api', 'member')
                or pg_has_role(r.oid, 'pg_read_all_data', 'member'))),
        (select string_agg(format('anybody may create things in schema %s', n.nspname), '; ' order by n.nspname)
         from pg_namespace n cross join aclexplode(n.nspacl) as a
         where n.nspname in ('public', 'mnemo') and a.grantee = 0 and a.privilege_type = 'CREATE')), '')
    into v_trouble;
    select count(*) into v_tables from pg_policy p where p.polname = 'tenant_rows';
    return mnemo.verdict('isolation', 'warn', v_trouble, format('%s tables and partitions show each tenant its own rows', v_tables),
        'mnemo.revoke_tenant(role, tenant) takes back a grant: a role made anew under an old name would have it; revoke create on schema public from public');
end
$$;
