-- Removes the entries of a chain ('': of the installation) from before a time, the oldest first, at most `most`, and returns
-- how many. What is left links to mnemo.audit_checkpoint, and an entry audit.prune says up to which one, with its hash: so it
-- goes on verifying. Whoever adds an entry waits. MN002 for a time in the future, data_corrupted, and nothing is removed, where
-- what would go does not verify: it is evidence. Called by members of mnemo_owner; the job prune_audit calls it.
-- Invariant kept: what is removed is a whole beginning of the chain, and the rest of the chain says so.
create or replace function mnemo.prune_audit(before timestamptz, tenant text default null, most bigint default null)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant  text := coalesce(prune_audit.tenant, mnemo.tenant());
    v_head    mnemo.audit_head;
    v_first   bigint;
    v_last    bigint;
    v_hash    bytea;
    v_problem record;
begin
    if (before <= clock_timestamp()) is not true then
        raise exception 'entries can be removed from before a time that has passed, not %', coalesce(before::text, 'null') using errcode = 'MN002';
    elsif most <= 0 then
        raise exception 'most must be above 0, not %', most using errcode = 'MN002';
    end if;
    select * into v_head from mnemo.audit_head h where h.tenant = v_tenant for update;
    select min(e.seq) into v_first from mnemo.audit e where e.tenant = v_tenant;
    select e.seq - 1 into v_last from mnemo.audit e where e.tenant = v_tenant and e.at >= prune_audit.before order by e.seq limit 1;
    v_last := least(coalesce(v_last, v_head.seq), v_first + most - 1);
    if (v_last >= v_first) is not true then
        return 0;
    end if;
    select p.seq, p.problem into v_problem from mnemo.audit_problems(v_tenant, v_first, v_last) as p order by p.seq limit 1;
    if found then
        raise exception 'the audit of % does not verify, so nothing is removed: entry % %',
                case when v_tenant = '' then 'the installation' else format('tenant %L', v_tenant) end, v_problem.seq, v_problem.problem
            using errcode = 'data_corrupted';
    end if;
    select e.hash into strict v_hash from mnemo.audit e where e.tenant = v_tenant and e.seq = v_last;
    perform mnemo.record_audit('audit.prune', null, jsonb_build_object(
        'seq', v_last, 'hash', encode(v_hash, 'hex'), 'entries', v_last - v_first + 1, 'before', before), v_tenant);
    insert into mnemo.audit_checkpoint (tenant, seq, hash, at) values (v_tenant, v_last, v_hash, clock_timestamp())
    on conflict (tenant) do update set seq = excluded.seq, hash = excluded.hash, at = excluded.at;
    perform mnemo.injection_point('audit.pruning');
    delete from mnemo.audit e where e.tenant = v_tenant and e.seq <= v_last;
    return v_last - v_first + 1;
end
$$;
