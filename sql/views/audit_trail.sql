-- The audit of this tenant. mnemo.audit also has the others and, as tenant '', the installation, for those who may see them.
create or replace view mnemo.audit_trail as
select e.seq, e.at, e.actor, e.login, e.client, e.application, e.action, e.subject, e.detail,
       encode(e.previous, 'hex') as previous, encode(e.hash, 'hex') as hash
from mnemo.audit e
where e.tenant = (select mnemo.tenant());

comment on view mnemo.audit_trail is 'Who did what for this tenant, and when; the whole of mnemo.audit with it verifies by mnemo.verify_audit().';
