-- Enters into the audit of the caller's tenant what only the application knows: acts that mnemo.audit_action marks as reported.
-- MN002 for another act, so that nobody passes off as done what was not. The detail must hold no content and no secret.
-- Called by mnemo_app and mnemo_vault.
create or replace function mnemo.report_audit(action text, subject text default null, detail jsonb default '{}') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from mnemo.audit_action a where a.action = report_audit.action and a.reported) then
        raise exception 'an application cannot report the act %', coalesce(quote_literal(action), 'null')
            using errcode = 'MN002', hint = 'mnemo.audit_action lists those that are reported.';
    elsif jsonb_typeof(detail) is distinct from 'object' then
        raise exception 'the detail of an act must be a JSON object, not %', coalesce(jsonb_typeof(detail), 'null') using errcode = 'MN002';
    elsif octet_length(subject) > 4000 or octet_length(detail::text) > 100000 then
        raise exception 'the subject of an act has at most 4000 bytes, its detail 100000' using errcode = 'MN002';
    end if;
    perform mnemo.record_audit(action, subject, detail, mnemo.tenant());
end
$$;
