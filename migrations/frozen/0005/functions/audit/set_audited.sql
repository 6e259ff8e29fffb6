-- Turns an act on or off in the audit, which is itself entered. MN010 for an act that is not there, MN002 for turning off the
-- acts of the audit. Called by members of mnemo_owner.
create or replace function mnemo.set_audited(action text, audited boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if set_audited.audited is null then
        raise exception 'audited must be true or false, not null' using errcode = 'MN002';
    elsif set_audited.action ~ '^audit[.]' and not set_audited.audited then
        raise exception 'the act % is always audited', quote_literal(set_audited.action) using errcode = 'MN002';
    end if;
    update mnemo.audit_action a set audited = set_audited.audited where a.action = set_audited.action;
    if not found then
        raise exception 'there is no act % in the audit', coalesce(quote_literal(action), 'null') using errcode = 'MN010';
    end if;
    perform mnemo.record_audit('audit.set', set_audited.action, jsonb_build_object('audited', set_audited.audited), '');
end
$$;
