-- Who did what, when, for which tenant. The entries of a tenant are a chain: each holds the hash of the one before, so that
-- one that was changed, removed, inserted or moved is found (mnemo.verify_audit). The tenant '' is the installation itself.

-- The acts that there are.
create table mnemo.audit_action (
    action      text primary key check (action ~ '^[a-z]+[.][a-z_]+$'),
    audited     boolean not null,
    reported    boolean not null default false,
    description text not null
);

comment on table mnemo.audit_action is 'Acts that are entered in the audit; mnemo.set_audited turns one on or off.';
comment on column mnemo.audit_action.reported is 'Applications enter it themselves, by mnemo.report_audit; the others are entered by the functions that act.';

create table mnemo.audit (
    at          timestamptz not null check (isfinite(at)),
    seq         bigint not null check (seq > 0),
    tenant      text not null check (octet_length(tenant) <= 1000),
    actor       text not null,
    login       text not null,
    client      text,
    application text,
    action      text not null,
    subject     text check (octet_length(subject) <= 4000),
    detail      jsonb not null check (jsonb_typeof(detail) = 'object' and octet_length(detail::text) <= 100000),
    previous    bytea not null check (octet_length(previous) = 32),
    hash        bytea not null check (octet_length(hash) = 32),
    primary key (tenant, seq)
);

comment on table mnemo.audit is 'The audit: append-only, a chain a tenant; mnemo.record_audit adds to it, mnemo.verify_audit checks it.';
comment on column mnemo.audit.at is 'By the real clock.';
comment on column mnemo.audit.seq is '1, 2, 3 within a tenant, without gaps.';
comment on column mnemo.audit.tenant is 'Empty: the act concerned the installation.';
comment on column mnemo.audit.actor is 'The role that acted: mnemo.caller().';
comment on column mnemo.audit.login is 'The role that logged in.';
comment on column mnemo.audit.client is 'The address of the client; null over a local socket and for jobs of the server.';
comment on column mnemo.audit.application is 'What the client calls itself; anybody can choose that.';
comment on column mnemo.audit.detail is 'Never content and never a secret.';
comment on column mnemo.audit.previous is 'The hash of the entry before; 32 zero bytes in the first.';
comment on column mnemo.audit.hash is 'SHA-256 of everything else in the row, as mnemo.audit_hash has it.';

-- What says that older entries were removed.
create index audit_prune on mnemo.audit (tenant, seq) where action = 'audit.prune';

create table mnemo.audit_head (
    tenant text primary key,
    seq    bigint not null,
    hash   bytea not null
) with (fillfactor = 50);

comment on table mnemo.audit_head is 'The last entry of each chain; whoever adds one locks it until the end of its transaction.';

create table mnemo.audit_checkpoint (
    at     timestamptz not null,
    seq    bigint not null,
    tenant text primary key,
    hash   bytea not null
);

comment on table mnemo.audit_checkpoint is 'Where retention cut each chain: what is left of it begins after this, and links to it.';
comment on column mnemo.audit_checkpoint.seq is 'The last entry that was removed; so many have been, in all.';
comment on column mnemo.audit_checkpoint.hash is 'Its hash.';

insert into mnemo.audit_action (action, audited, reported, description) values
    ('audit.prune', true, false, 'retention removed the oldest entries of a chain'),
    ('audit.set', true, false, 'an act was turned on or off in the audit'),
    ('collection.alter', true, false, 'a collection was changed'),
    ('collection.create', true, false, 'a collection was made'),
    ('event.application', true, true, 'whatever an application reports'),
    ('job.add', true, false, 'a job was added'),
    ('job.alter', true, false, 'a job was changed'),
    ('job.remove', true, false, 'a job was removed'),
    ('memory.forget', false, false, 'memories were forgotten; off, since writers of a tenant then wait for each other'),
    ('memory.open', true, false, 'private memories were asked for by a client that can open them'),
    ('memory.restore', true, false, 'lost memories were brought back from their copies'),
    ('object.delete', true, false, 'objects that nothing needs were taken to be deleted from a store'),
    ('policy.change', true, false, 'a policy was added, changed or removed'),
    ('quota.remove', true, false, 'the limits of a tenant were removed'),
    ('quota.set', true, false, 'the limits of a tenant were set'),
    ('residency.remove', true, false, 'a tenant may be kept in any object store again'),
    ('residency.set', true, false, 'the object stores that may hold a tenant were set'),
    ('segment.compact', true, false, 'an archived segment was rewritten without the memories that were forgotten'),
    ('segment.give_up', true, false, 'an archived segment that cannot be read was given up'),
    ('setting.change', true, false, 'numbers of the engine were changed'),
    ('store.attach', true, false, 'an object store was attached'),
    ('tenant.grant', true, false, 'a role was let act for a tenant'),
    ('tenant.revoke', true, false, 'a role may no longer act for a tenant'),
    ('vault.adopt', true, false, 'a database took over the keys of the one that it is a copy of'),
    ('vault.certificate', true, false, 'keys are gone for good: the certificate of deletion'),
    ('vault.destroy', true, false, 'an epoch key was destroyed'),
    ('vault.drop', true, false, 'a vault item was dropped'),
    ('vault.export', true, false, 'a vault item was read to be exported'),
    ('vault.failure', true, true, 'a vault item did not open, or a key was not there'),
    ('vault.get', true, false, 'a vault item was read'),
    ('vault.put', true, false, 'a vault item was stored'),
    ('vault.rotate', true, false, 'a tenant got a new epoch key'),
    ('vault.shred', true, false, 'vault items, or a tenant, are to be destroyed by their keys');
insert into mnemo.setting (name, value, description) values
    ('audit_keep_days', 3650, 'days after which the job prune_audit removes entries of the audit; 0: never');
insert into mnemo.job (name, function, every, enabled, disabled_reason, next_run_at) values
    ('prune_audit', 'mnemo.prune_audit_step', '1 day', true, null, now());

create or replace function mnemo.refuse_audit_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'the audit is append-only: % of % is refused', lower(tg_op), tg_table_name
        using errcode = 'insufficient_privilege', hint = 'mnemo.prune_audit removes the oldest entries.';
end
$$;

-- Lets entries go only as retention does: all of a chain up to one that mnemo.audit_checkpoint holds with its hash, and that
-- a later entry of the same chain says was removed. Neither a role nor a setting opens this: what goes leaves its trace in
-- the chain itself, whoever removes it.
create or replace function mnemo.check_audit_delete() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select from (select distinct on (g.tenant) g.* from gone g order by g.tenant, g.seq desc) as last
        where not exists (select from mnemo.audit_checkpoint c where (c.tenant, c.seq, c.hash) = (last.tenant, last.seq, last.hash))
           or not exists (select from mnemo.audit e
                          where e.tenant = last.tenant and e.action = 'audit.prune' and e.seq > last.seq
                            and e.detail @> jsonb_build_object('seq', last.seq, 'hash', encode(last.hash, 'hex')))
           or exists (select from mnemo.audit e where e.tenant = last.tenant and e.seq <= last.seq))
    then
        raise exception 'the audit is append-only: delete of % is refused', tg_table_name
            using errcode = 'insufficient_privilege', hint = 'mnemo.prune_audit removes the oldest entries.';
    end if;
    return null;
end
$$;

create trigger refuse_change before update or truncate on mnemo.audit
    for each statement execute function mnemo.refuse_audit_change();
create trigger check_delete after delete on mnemo.audit
    referencing old table as gone for each statement execute function mnemo.check_audit_delete();
create trigger refuse_change before delete or truncate on mnemo.audit_checkpoint
    for each statement execute function mnemo.refuse_audit_change();
create trigger refuse_change before delete or truncate on mnemo.audit_head
    for each statement execute function mnemo.refuse_audit_change();
-- Also where session_replication_role turns other triggers off.
alter table mnemo.audit enable always trigger refuse_change;
alter table mnemo.audit enable always trigger check_delete;
alter table mnemo.audit_checkpoint enable always trigger refuse_change;
alter table mnemo.audit_head enable always trigger refuse_change;
