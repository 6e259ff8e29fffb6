-- Memories in object storage. Their hypervectors, texts and embeddings are in the objects of their segment; what finds
-- and filters them stays here. Such a memory has no row in mnemo.memory and none in mnemo.activity; its key stays its own.

-- Who this database is to its object store. One that finds itself copied (restored elsewhere, cloned) takes a new name:
-- what the old one wrote belongs to the other copy, which alone may delete it.
create table mnemo.identity (
    database    uuid primary key,
    is_current  boolean not null,
    store       text not null,
    fingerprint text not null,
    token       uuid not null,
    next_token  uuid,
    since       timestamptz not null
);

create unique index identity_current on mnemo.identity (is_current) where is_current;

comment on table mnemo.identity is 'The names that this database has had in object storage; objects lie under the name of whoever wrote them.';
comment on column mnemo.identity.is_current is 'Its name now; the others are those of databases it is a copy of.';
comment on column mnemo.identity.store is 'URL of the object store; one for all archived segments.';
comment on column mnemo.identity.fingerprint is 'System identifier, database and timeline: another one means that this is a copy.';
comment on column mnemo.identity.token is 'What <database>/owner.json in the store holds; something else there means that another copy goes by this name.';
comment on column mnemo.identity.next_token is 'What it will hold next, noted before it is written there.';

-- Every object that this database has written, or is about to, or reads from those it is a copy of.
create table mnemo.object (
    key        text primary key,
    owner      uuid not null,
    attempt    uuid not null,
    state      text not null check (state in ('writing', 'stored', 'dropped', 'deleting')),
    bytes      bigint not null,
    sha256     bytea not null check (octet_length(sha256) = 32),
    changed_at timestamptz not null
);

create index object_attempt on mnemo.object (attempt);

comment on table mnemo.object is 'Objects in the store. Noted before they are written, so that none is there unknown; gone from here once they are deleted.';
comment on column mnemo.object.owner is 'Whose name is in the key: only that database may delete it.';
comment on column mnemo.object.attempt is 'The folder: objects of one attempt come and go together.';
comment on column mnemo.object.state is 'writing: may be there, whole or not; stored: read back and verified; dropped: needed no more, kept for the grace period; deleting: may be gone.';
comment on column mnemo.object.changed_at is 'Since when it is in this state, by the real clock.';

-- Where the rows of an archived segment lie.
create table mnemo.archive (
    segment              integer primary key references mnemo.segment on delete cascade,
    attempt              uuid not null unique,
    rows                 bigint not null check (rows > 0),
    archived_at          timestamptz not null,
    hdv_key              text not null references mnemo.object,
    rows_key             text not null references mnemo.object,
    manifest_key         text not null references mnemo.object,
    hdv_start            integer not null,
    block_rows           integer not null check (block_rows > 0),
    block_checksums      bytea not null,
    row_group_rows       integer not null check (row_group_rows > 0),
    row_group_offsets    bigint[] not null,
    row_group_lengths    bigint[] not null,
    row_group_checksums  bytea not null,
    footer               bytea not null,
    collections          jsonb not null check (jsonb_typeof(collections) = 'object')
);

comment on table mnemo.archive is 'The objects of each archived segment, and what one must know to read a few rows of them.';
comment on column mnemo.archive.rows is 'Rows in the objects, those forgotten or restored since included.';
comment on column mnemo.archive.hdv_start is 'Bytes before the first hypervector of hdv.npy.';
comment on column mnemo.archive.block_rows is 'Rows of a block of hdv.npy.';
comment on column mnemo.archive.block_checksums is 'The first 8 bytes of the SHA-256 of each block.';
comment on column mnemo.archive.row_group_rows is 'Rows of a row group of rows.parquet; the last may have fewer.';
comment on column mnemo.archive.row_group_offsets is 'Where in rows.parquet each begins.';
comment on column mnemo.archive.row_group_lengths is 'Its bytes up to the embeddings, which come last.';
comment on column mnemo.archive.row_group_checksums is 'The first 8 bytes of the SHA-256 of these bytes.';
comment on column mnemo.archive.footer is 'The end of rows.parquet, without which no row group can be read.';
comment on column mnemo.archive.collections is 'How the collections in it were encoded, as in the manifest.';

-- What stays of a memory. accessed rows are in mnemo.archived_access: an update here would go into every index.
create table mnemo.archived_memory (
    occurred_at  timestamptz not null,
    created_at   timestamptz not null,
    ltp_at       timestamptz not null,
    last_access  timestamptz,
    expires_at   timestamptz,
    segment      integer not null,
    row_number   integer not null,
    ltp          real not null,
    access_count integer not null,
    bucket       smallint not null,
    id           uuid not null,
    tenant       text not null,
    collection   text not null,
    context      text,
    session      text,
    key          text,
    attributes   jsonb not null check (jsonb_typeof(attributes) = 'object'),
    sketch       bit({archive_bits}) not null,
    primary key (id, bucket, segment)
) partition by list (segment);

alter table mnemo.archived_memory alter column sketch set storage plain, alter column sketch set statistics 0;

-- Fewer neighbours than by default: a twentieth of the bytes that stay, for which mnemo.nearest_in_archive looks a little wider.
create index archived_memory_sketch on mnemo.archived_memory using hnsw (sketch bit_hamming_ops) with (m = 12);
create index archived_memory_context on mnemo.archived_memory (tenant, collection, context);
create index archived_memory_attributes on mnemo.archived_memory using gin (attributes jsonb_path_ops);
create index archived_memory_row on mnemo.archived_memory using brin (row_number) with (pages_per_range = 2);
create index archived_memory_expires on mnemo.archived_memory (expires_at) where expires_at is not null;

comment on table mnemo.archived_memory is 'What stays in the database of memories in object storage; partitioned by segment.';
comment on column mnemo.archived_memory.row_number is 'Its row in the objects of its segment, from 0.';
comment on column mnemo.archived_memory.sketch is 'The first {archive_bits} components of its hypervector.';
comment on column mnemo.archived_memory.attributes is 'As they are now: changed after archiving they differ from those in the object.';
comment on column mnemo.archived_memory.ltp is 'Strength at ltp_at, when it was archived or before; uses since then are in mnemo.archived_access.';

-- Uses of archived memories; from archive_restore_accesses on, a memory is to be restored.
create table mnemo.archived_access (
    bucket      smallint not null,
    id          uuid not null,
    accesses    integer not null,
    last_access timestamptz not null,
    primary key (id, bucket)
) with (fillfactor = 70);

comment on table mnemo.archived_access is 'Accesses of memories since they were archived.';

create table mnemo.restore_request (
    bucket       smallint not null,
    id           uuid not null,
    tier         text not null,
    reason       text not null,
    requested_at timestamptz not null,
    failures     integer not null default 0,
    retry_at     timestamptz,
    error        text,
    primary key (id, bucket)
);

comment on table mnemo.restore_request is 'Archived memories that a worker is to bring back.';
comment on column mnemo.restore_request.reason is 'accesses, or called.';
comment on column mnemo.restore_request.retry_at is 'Not before then, after a failure; by the real clock.';

-- Rows of objects that are nobody's memory any more. A compaction leaves them out.
create table mnemo.tombstone (
    segment    integer not null references mnemo.segment on delete cascade,
    row_number integer not null,
    id         uuid not null,
    tenant     text not null,
    collection text not null,
    reason     text not null check (reason in ('forgotten', 'rewritten', 'restored', 'changed')),
    at         timestamptz not null,
    attributes jsonb,
    primary key (segment, row_number)
);

comment on table mnemo.tombstone is 'Dead rows in the objects of archived segments.';
comment on column mnemo.tombstone.attributes is 'Of a forgotten or rewritten memory those that are roles of its collection: counted, as its words are.';
comment on column mnemo.tombstone.reason is 'forgotten, rewritten (its key was used again): its words are counted yet, and taken out of the statistics when the row goes; restored; changed (after it was read for export, so that it was never archived).';

insert into mnemo.setting (name, value, description) values
    ('archive_segment_rows', 100000, 'memories from which the open cold segment is sealed'),
    ('archive_seal_days', 7, 'days after which it is sealed with fewer, once it holds any'),
    ('archive_restore_accesses', 2, 'accesses of an archived memory that bring it back'),
    ('archive_compact_share', 0.2, 'share of dead rows from which an archived segment is compacted'),
    ('archive_compact_days', 30, 'days after which a forgotten memory leaves the objects even so'),
    ('archive_grace_days', 30, 'days for which objects that are needed no more stay in the store: no less than the age of any backup that may be restored'),
    ('archive_lease_seconds', 300, 'seconds without a sign of life after which another worker goes on with an export');
