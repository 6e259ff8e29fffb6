-- Durability copies: new memories in object storage within minutes, long before they turn cold. While a copy policy is
-- enabled each write notes in its own transaction what has to be copied; workers copy it, a set of objects a batch.

-- The queue. Rows are added by writers, and deleted by the one transaction that notes their copy.
create table mnemo.uncopied (
    seq       bigint generated always as identity primary key,
    at        timestamptz not null,
    id        uuid not null,
    bucket    smallint not null,
    forgotten boolean not null,
    tenant    text not null
);

comment on table mnemo.uncopied is 'Memories written, changed or forgotten since they were last copied to object storage; a row each time.';
comment on column mnemo.uncopied.forgotten is 'The memory is gone: what is copied is that.';

-- At most one row: the memories with ids above `after` were there before the policy was, and have yet to be queued.
create table mnemo.copy_backlog (
    one   boolean primary key default true check (one),
    after uuid not null,
    since xid8 not null
);

comment on table mnemo.copy_backlog is 'Present while memories older than the copy policy are being queued, in order of id.';
comment on column mnemo.copy_backlog.since is 'The transaction that enabled the policy: queueing begins once all that may not have seen it have ended.';

-- A set of copies on its way, or several being merged into one.
create table mnemo.copy_attempt (
    number      bigint generated always as identity primary key,
    attempt     uuid not null unique,
    seqs        bigint[] not null,
    merges      bigint[] not null,
    worker      text not null,
    lease_until timestamptz not null,
    failures    integer not null default 0,
    error       text
);

comment on table mnemo.copy_attempt is 'Copies under way; whoever goes on with one writes into the same folder of the object store.';
comment on column mnemo.copy_attempt.number is 'Of two copies of a memory the one with the greater number is the later.';
comment on column mnemo.copy_attempt.seqs is 'The rows of mnemo.uncopied that it takes away when it ends.';
comment on column mnemo.copy_attempt.merges is 'The sets that it takes the place of; empty: it copies new memories.';
comment on column mnemo.copy_attempt.lease_until is 'By the real clock: until then nobody else goes on with it.';
comment on column mnemo.copy_attempt.failures is 'Failures in a row; each next try waits twice as long.';

create table mnemo.copy (
    number       bigint primary key,
    attempt      uuid not null unique,
    rows         bigint not null check (rows > 0),
    forgotten    bigint not null,
    copied_at    timestamptz not null,
    hdv_key      text not null references mnemo.object,
    rows_key     text not null references mnemo.object,
    manifest_key text not null references mnemo.object
);

comment on table mnemo.copy is 'Sets of copies in the object store, in the order of their numbers.';
comment on column mnemo.copy.number is 'A merged set has the greatest number of those that it took the place of.';
comment on column mnemo.copy.forgotten is 'Rows that say that a memory was forgotten.';
comment on column mnemo.copy.copied_at is 'When the last of its memories were read.';

insert into mnemo.setting (name, value, description) values
    ('copy_batch_rows', 5000, 'memories that one set of copies takes'),
    ('copy_sets_most', 16, 'sets of copies from which small ones are merged');
