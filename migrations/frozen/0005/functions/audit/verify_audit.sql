-- Checks a chain of the audit ('': that of the installation); a row a problem, none where all is well. Finds entries that were
-- changed, removed, inserted or moved, and oldest ones that went without retention's entry. Whoever can write the tables and
-- computes all hashes anew, or takes the newest entries away with the head, is found by an anchor alone: seq and hash of a
-- head kept elsewhere, given here. MN015 for another tenant's chain, MN002 for half an anchor.
-- Called by everybody, for their tenants; by members of mnemo_owner and mnemo_worker for all.
create or replace function mnemo.verify_audit(
    tenant      text default null,
    expect_seq  bigint default null,
    expect_hash bytea default null
) returns table (seq bigint, problem text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant text := coalesce(verify_audit.tenant, mnemo.tenant());
    v_head   mnemo.audit_head;
    v_cut    mnemo.audit_checkpoint;
    v_last   mnemo.audit;
    v_hash   bytea;
begin
    perform mnemo.check_audit_tenant(v_tenant);
    if (expect_seq is null) <> (expect_hash is null) then
        raise exception 'an anchor is a seq and a hash' using errcode = 'MN002';
    end if;
    return query select p.seq, p.problem from mnemo.audit_problems(v_tenant, -9223372036854775808, 9223372036854775807) as p order by p.seq;

    select * into v_cut from mnemo.audit_checkpoint c where c.tenant = v_tenant;
    if found and not exists (
        select from mnemo.audit e
        where e.tenant = v_tenant and e.action = 'audit.prune' and e.seq > v_cut.seq
          and e.detail @> jsonb_build_object('seq', v_cut.seq, 'hash', encode(v_cut.hash, 'hex')))
    then
        return query select v_cut.seq, 'no entry says that the entries up to this one were removed';
    end if;

    select * into v_last from mnemo.audit e where e.tenant = v_tenant order by e.seq desc limit 1;
    select * into v_head from mnemo.audit_head h where h.tenant = v_tenant;
    if v_head.tenant is null and v_last.tenant is not null then
        return query select v_last.seq, 'the head of the chain is missing';
    elsif (v_head.seq, v_head.hash) is distinct from (v_last.seq, v_last.hash) then
        return query select v_head.seq, case
            when v_last.seq is null then 'the head is here, and no entry is'
            when v_last.seq < v_head.seq then format('the head is this entry, the last one is %s', v_last.seq)
            when v_last.seq > v_head.seq then format('the head is this entry; more follow, up to %s', v_last.seq)
            else 'the head has another hash than the last entry' end;
    end if;

    if expect_seq is not null then
        select e.hash into v_hash from mnemo.audit e where e.tenant = v_tenant and e.seq = expect_seq;
        if not found and expect_seq = coalesce(v_cut.seq, 0) then
            v_hash := coalesce(v_cut.hash, mnemo.audit_root());
        elsif not found then
            return query select expect_seq, case
                when expect_seq < v_cut.seq then format('the anchor was removed by retention, which went up to %s: keep a newer one', v_cut.seq)
                else 'the anchor is missing' end;
            return;
        end if;
        if v_hash is distinct from expect_hash then
            return query select expect_seq, 'has another hash than the anchor';
        end if;
    end if;
end
$$;
