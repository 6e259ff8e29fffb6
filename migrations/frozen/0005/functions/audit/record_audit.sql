-- Enters an act into the audit of a tenant ('': of the installation), in the transaction of the act: both are there or
-- neither. Does nothing for an act that mnemo.audit_action turns off. MN010 for one it does not name. The detail must hold no
-- content and no secret. Whoever else enters an act of the tenant waits for the end of this transaction, so it is called last.
-- Called by the functions that act; applications call mnemo.report_audit.
-- Invariant kept: an entry has the seq after its predecessor's and holds its hash; the head is the last one.
create or replace function mnemo.record_audit(
    p_action  text,
    p_subject text default null,
    p_detail  jsonb default '{}',
    p_tenant  text default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_audited boolean;
    v_head    mnemo.audit_head;
    v_entry   mnemo.audit;
begin
    p_tenant := coalesce(p_tenant, mnemo.tenant());
    select a.audited into v_audited from mnemo.audit_action a where a.action = p_action;
    if not found then
        raise exception 'there is no act % in the audit', coalesce(quote_literal(p_action), 'null') using errcode = 'MN010';
    elsif not v_audited then
        return;
    end if;
    select * into v_head from mnemo.audit_head h where h.tenant = p_tenant for update;
    if not found then
        insert into mnemo.audit_head (tenant, seq, hash) values (p_tenant, 0, mnemo.audit_root()) on conflict do nothing;
        select * into strict v_head from mnemo.audit_head h where h.tenant = p_tenant for update;
    end if;
    v_entry.tenant := p_tenant;
    v_entry.seq := v_head.seq + 1;
    v_entry.at := clock_timestamp();
    v_entry.actor := mnemo.caller();
    v_entry.login := session_user;
    v_entry.client := host(inet_client_addr());
    v_entry.application := nullif(current_setting('application_name'), '');
    v_entry.action := p_action;
    v_entry.subject := p_subject;
    v_entry.detail := coalesce(p_detail, '{}');
    v_entry.previous := v_head.hash;
    v_entry.hash := mnemo.audit_hash(v_entry);
    insert into mnemo.audit select v_entry.*;
    update mnemo.audit_head h set seq = v_entry.seq, hash = v_entry.hash where h.tenant = p_tenant;
end
$$;
