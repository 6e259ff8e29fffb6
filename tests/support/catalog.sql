-- Each statement after a "-- section:" line yields one column of text: lines in a fixed order. Object numbers
-- and times do not appear, so two databases with the same schema give the same text.

-- section: schema
select concat_ws(' | ', n.nspname, 'grants ' || pg_temp.grants(n.nspacl, n.nspowner), obj_description(n.oid, 'pg_namespace'))
from pg_namespace n where n.nspname = 'mnemo'
union all
select format('default privileges on %s: %s', d.defaclobjtype, pg_temp.grants(d.defaclacl, d.defaclrole))
from pg_default_acl d where d.defaclnamespace = 'mnemo'::regnamespace
union all
select format('extension %s in %s', e.extname, e.extnamespace::regnamespace)
from pg_extension e where e.extname in ('vector', 'pgcrypto')
order by 1;

-- section: relations
select concat_ws(' | ',
    format('%s %s', pg_temp.kind(c.relkind), c.relname),
    case c.relpersistence when 'u' then 'unlogged' end,
    'of ' || (select string_agg(i.inhparent::regclass::text, ', ') from pg_inherits i where i.inhrelid = c.oid),
    pg_get_expr(c.relpartbound, c.oid),
    'partition by ' || pg_get_partkeydef(c.oid),
    'with ' || (select string_agg(o, ', ' order by o) from unnest(c.reloptions) o),
    'toast with ' || (select string_agg(o, ', ' order by o) from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid),
    'tablespace ' || (select s.spcname from pg_tablespace s where s.oid = c.reltablespace),
    case when c.relrowsecurity then 'row security' end,
    case when c.relforcerowsecurity then 'forced' end,
    case when c.relreplident <> 'd' and c.relkind in ('r', 'p') then 'replica identity ' || c.relreplident::text end,
    case when c.relowner::regrole::text like 'mnemo\_%' then 'owner ' || c.relowner::regrole end,
    'grants ' || pg_temp.grants(c.relacl, c.relowner),
    obj_description(c.oid, 'pg_class'))
from pg_class c
where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
order by c.relname;

-- section: columns
select concat_ws(' | ',
    format('%s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)),
    case when a.attnotnull then 'not null' end,
    'collate ' || (select l.collname from pg_collation l where l.oid = a.attcollation and l.collname <> 'default'),
    'default ' || (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = c.oid and d.adnum = a.attnum and a.attgenerated = ''),
    'generated ' || a.attgenerated::text || (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = c.oid and d.adnum = a.attnum and a.attgenerated <> ''),
    'identity ' || nullif(a.attidentity::text, ''),
    case when c.relkind in ('r', 'p') and a.attlen < 0 then 'storage ' || a.attstorage::text end,
    'compression ' || nullif(a.attcompression::text, ''),
    'statistics ' || a.attstattarget,
    'grants ' || pg_temp.grants(a.attacl, c.relowner),
    col_description(c.oid, a.attnum))
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
order by c.relname, a.attnum;

-- section: constraints
select concat_ws(' | ',
    format('%s.%s %s', coalesce(c.relname, t.typname), k.conname, pg_get_constraintdef(k.oid)),
    case when not k.convalidated then 'not validated' end,
    case when not k.conenforced then 'not enforced' end,
    obj_description(k.oid, 'pg_constraint'))
from pg_constraint k
left join pg_class c on c.oid = k.conrelid
left join pg_type t on t.oid = k.contypid
where k.connamespace = 'mnemo'::regnamespace and k.contype <> 'n'
order by 1;

-- section: indexes
select concat_ws(' | ',
    pg_get_indexdef(i.indexrelid),
    'of ' || (select string_agg(h.inhparent::regclass::text, ', ') from pg_inherits h where h.inhrelid = i.indexrelid),
    case when not i.indisvalid then 'invalid' end,
    'tablespace ' || (select s.spcname from pg_tablespace s where s.oid = c.reltablespace),
    obj_description(i.indexrelid, 'pg_class'))
from pg_index i
join pg_class c on c.oid = i.indexrelid
where c.relnamespace = 'mnemo'::regnamespace
order by c.relname;

-- section: triggers, rules, policies, statistics
select pg_get_triggerdef(t.oid) || case when t.tgenabled <> 'O' then ' | ' || t.tgenabled::text else '' end
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where c.relnamespace = 'mnemo'::regnamespace and not t.tgisinternal
union all
select pg_get_ruledef(r.oid)
from pg_rewrite r join pg_class c on c.oid = r.ev_class
where c.relnamespace = 'mnemo'::regnamespace and r.rulename <> '_RETURN'
union all
select format('policy %s on %s for %s to %s using (%s) check (%s) permissive %s', p.polname, c.relname, p.polcmd,
    (select string_agg(case when m = 0 then 'public' else pg_get_userbyid(m) end, ', ') from unnest(p.polroles) m),
    pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid), p.polpermissive)
from pg_policy p join pg_class c on c.oid = p.polrelid
where c.relnamespace = 'mnemo'::regnamespace
union all
select pg_get_statisticsobjdef(s.oid) from pg_statistic_ext s where s.stxnamespace = 'mnemo'::regnamespace
order by 1;

-- section: functions
select concat_ws(' | ',
    format('%s %s(%s)', pg_temp.routine(p.prokind), p.proname, pg_get_function_arguments(p.oid)),
    'returns ' || pg_get_function_result(p.oid),
    l.lanname,
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    'parallel ' || p.proparallel::text,
    case when p.proisstrict then 'strict' end,
    case when p.prosecdef then 'security definer' end,
    case when p.proleakproof then 'leakproof' end,
    case when p.prosupport <> 0 then 'support ' || p.prosupport::text end,
    format('cost %s rows %s', p.procost, p.prorows),
    'set ' || (select string_agg(s, '; ' order by s) from unnest(p.proconfig) s),
    (select format('state %s, step %s, combine %s, final %s, serial %s, deserial %s, initial %s, moving %s, space %s',
        format_type(g.aggtranstype, null), g.aggtransfn, g.aggcombinefn, g.aggfinalfn, g.aggserialfn, g.aggdeserialfn,
        g.agginitval, g.aggmtransfn, g.aggtransspace)
     from pg_aggregate g where g.aggfnoid = p.oid),
    'owner ' || p.proowner::regrole,
    'grants ' || pg_temp.grants(p.proacl, p.proowner),
    obj_description(p.oid, 'pg_proc'))
from pg_proc p join pg_language l on l.oid = p.prolang
where p.pronamespace = 'mnemo'::regnamespace
order by p.proname, pg_get_function_arguments(p.oid);

-- section: types, operators, casts
select concat_ws(' | ', format('%s type %s', pg_temp.type_kind(t.typtype), t.typname),
    case t.typtype
        when 'e' then (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
        when 'd' then format('%s not null %s default %s', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault)
    end,
    'grants ' || pg_temp.grants(t.typacl, t.typowner), obj_description(t.oid, 'pg_type'))
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace = 'mnemo'::regnamespace and t.typelem = 0 and coalesce(c.relkind, 'c') = 'c'
union all
select format('operator %s %s commutator %s', o.oid::regoperator, o.oprcode, o.oprcom::regoperator)
from pg_operator o where o.oprnamespace = 'mnemo'::regnamespace
union all
select format('cast %s to %s by %s', format_type(c.castsource, null), format_type(c.casttarget, null), c.castfunc::regprocedure)
from pg_cast c join pg_proc p on p.oid = c.castfunc where p.pronamespace = 'mnemo'::regnamespace
order by 1;

-- section: sequences
select format('%s %s start %s by %s from %s to %s cache %s cycle %s', s.seqrelid::regclass, format_type(s.seqtypid, null),
    s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
from pg_sequence s join pg_class c on c.oid = s.seqrelid
where c.relnamespace = 'mnemo'::regnamespace
order by 1;

-- section: views
select c.relname || ':' || e'\n' || pg_get_viewdef(c.oid)
from pg_class c
where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('v', 'm')
order by c.relname;

-- section: bodies
select format('%s: %s', p.oid::regprocedure, md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)))
from pg_proc p
where p.pronamespace = 'mnemo'::regnamespace and p.prokind <> 'a'
order by 1;
