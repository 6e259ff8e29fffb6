-- Each query after a "-- query:" line finds what a rule is about, in the catalog.

-- query: tables
select c.relname, exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant'),
       c.relrowsecurity and c.relforcerowsecurity, c.relowner::regrole::text,
       array(select format('%s: %s: %s %s %s', p.polname,
                           (select string_agg(r::regrole::text, ', ' order by r::regrole::text) from unnest(p.polroles) as r),
                           case p.polcmd when '*' then 'all' else p.polcmd::text end,
                           case when p.polpermissive then 'permissive' else 'restrictive' end,
                           concat_ws(' check ', pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)))
             from pg_policy p where p.polrelid = c.oid order by p.polname)
from pg_class c
where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'f', 'm')

-- query: views with other rights
select c.relname, c.reloptions, c.relowner::regrole::text
from pg_class c
where c.relnamespace = 'mnemo'::regnamespace
  and c.relkind = 'v'
  and (c.reloptions is distinct from '{security_invoker=true}' or c.relowner::regrole::text <> 'mnemo_owner')

-- query: open definers
select p.oid::regprocedure::text, p.proconfig, p.proowner::regrole::text
from pg_proc p
where p.pronamespace = 'mnemo'::regnamespace
  and p.prosecdef
  and not (p.proowner::regrole::text in ('mnemo_owner', 'mnemo_api', 'mnemo_engine')
  and coalesce(p.proconfig, '{}') && array['search_path=pg_catalog, pg_temp', 'search_path=pg_catalog, public, pg_temp'])

-- query: public
select p.oid::regprocedure::text
from pg_proc p
cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
where p.pronamespace = 'mnemo'::regnamespace
  and a.grantee = 0
union all select c.oid::regclass::text
from pg_class c
cross join aclexplode(c.relacl) a
where c.relnamespace = 'mnemo'::regnamespace
  and a.grantee = 0
union all select n.nspname::text
from pg_namespace n
cross join aclexplode(n.nspacl) a
where n.nspname = 'mnemo'
  and (a.grantee = 0 or a.privilege_type = 'CREATE'
  and a.grantee::regrole::text like 'mnemo\_%'
  and a.grantee::regrole::text <> 'mnemo_owner')

-- query: usable triggers
select p.oid::regprocedure::text, r.role
from pg_proc p
cross join unnest(array['mnemo_app', 'mnemo_reader', 'mnemo_vault', 'mnemo_worker']) as r (role)
where p.pronamespace = 'mnemo'::regnamespace
  and p.prorettype = 'trigger'::regtype
  and has_function_privilege(r.role, p.oid, 'execute')

-- query: dynamic
select p.proname
from pg_proc p
join pg_language l on l.oid = p.prolang
where p.pronamespace = 'mnemo'::regnamespace
  and l.lanname = 'plpgsql'
  and p.prosrc ~* '(\n|;|\m(then|loop|begin|else|in|query))\s+execute\M'

-- query: powerful
select r.rolname
from pg_roles r
where r.rolname like 'mnemo\_%'
  and r.rolname !~ '^mnemo_test_'
  and (r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication)

-- query: grants
select concat_ws(' | ', a.grantee::regrole::text, o.kind, o.name, string_agg(lower(a.privilege_type), ', ' order by a.privilege_type))
from (
    select case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as kind, c.relname::text as name, c.relacl as acl,
           c.relowner as owner
    from pg_class c
    where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
    union all
    select 'column', c.relname || '.' || t.attname, t.attacl, c.relowner
    from pg_attribute t join pg_class c on c.oid = t.attrelid
    where c.relnamespace = 'mnemo'::regnamespace
    union all
    select case when p.prosecdef then 'function as ' || p.proowner::regrole else 'function' end, p.oid::regprocedure::text, p.proacl, p.proowner
    from pg_proc p
    where p.pronamespace = 'mnemo'::regnamespace
    union all
    select 'schema', n.nspname, n.nspacl, n.nspowner from pg_namespace n where n.nspname = 'mnemo'
) as o
cross join aclexplode(o.acl) as a
where a.grantee <> o.owner
  -- The roles of the engine may call every function.
  and not (o.kind like 'function%' and a.grantee::regrole::text in ('mnemo_owner', 'mnemo_api', 'mnemo_engine'))
group by a.grantee, o.kind, o.name
order by a.grantee::regrole::text, o.kind, o.name
