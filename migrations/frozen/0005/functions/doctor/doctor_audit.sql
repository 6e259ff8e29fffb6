-- audit: its tables refuse changes, and the head of each chain is its last entry. With p_deep every chain is verified, which
-- reads all entries.
create or replace function mnemo.doctor_audit(p_deep boolean) returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_trouble text;
    v_chains  bigint;
begin
    select nullif(concat_ws('; ',
        (select string_agg(format('trigger %s of %s is off', t.tgname, t.tgrelid::regclass), '; ' order by t.tgrelid::regclass::text, t.tgname)
         from pg_trigger t
         where t.tgrelid in ('mnemo.audit'::regclass, 'mnemo.audit_head'::regclass, 'mnemo.audit_checkpoint'::regclass) and t.tgenabled <> 'A'),
        (select string_agg(format('the head of %L is not the last entry', h.tenant), '; ' order by h.tenant)
         from mnemo.audit_head h
         left join lateral (select e.seq, e.hash from mnemo.audit e where e.tenant = h.tenant order by e.seq desc limit 1) l on true
         where (l.seq, l.hash) is distinct from (h.seq, h.hash)),
        case when p_deep then
            (select string_agg(format('entry %s of %L %s', p.seq, t.tenant, p.problem), '; ' order by t.tenant, p.seq)
             from (select distinct e.tenant from mnemo.audit e union select h.tenant from mnemo.audit_head h) as t
             cross join lateral (select * from mnemo.verify_audit(t.tenant) limit 5) as p)
        end), '')
    into v_trouble;
    select count(*) into v_chains from mnemo.audit_head h;
    return mnemo.verdict('audit', 'fail', v_trouble,
        format('%s chains', v_chains) || case when p_deep then ', every entry is as it was written' else '; mnemo.doctor(deep => true) verifies them' end,
        'mnemo audit verify tells more; keep the database as it is until somebody has found out who did that');
end
$$;
