-- Vaults: what is sealed by its client before it comes here, and what opens it. The keys that open the keys (the epoch keys of
-- mnemo.vault_key) lie in a key store outside the database, so that no backup brings a destroyed one back.
create table mnemo.vault_key (
    tenant       text not null check (octet_length(tenant) between 1 and 1000),
    epoch        integer not null check (epoch > 0),
    store        text not null,
    check_value  bytea not null,
    state        text not null check (state in ('active', 'retired', 'destroying', 'destroyed')),
    created_at   timestamptz not null,
    retired_at   timestamptz,
    destroyed_at timestamptz,
    final_at     timestamptz,
    primary key (tenant, epoch)
);

create unique index vault_key_active on mnemo.vault_key (tenant) where state = 'active';

comment on table mnemo.vault_key is 'The epoch keys of each tenant: that they are, never what they are. Times are of the real clock.';
comment on column mnemo.vault_key.store is 'Which key store has it, without credentials.';
comment on column mnemo.vault_key.check_value is 'Tells its key from any other; says nothing else of it.';
comment on column mnemo.vault_key.state is 'active: new data keys are wrapped by it; retired: it opens backups of before, nothing here stays under it; destroying: nothing lies under it any more, and nothing ever will; destroyed: the key store has it no more.';
comment on column mnemo.vault_key.final_at is 'From when on nobody can bring it back: later than destroyed_at where a key store waits first.';

-- Copies of a database share the key store with it: only one of them may end epochs and destroy keys.
create table mnemo.vault_home (
    one         boolean primary key default true check (one),
    fingerprint text not null,
    since       timestamptz not null
);

comment on table mnemo.vault_home is 'The database that the epoch keys belong to, written with its first epoch; in a copy it names the original (mnemo.adopt_vault).';
comment on column mnemo.vault_home.fingerprint is 'As mnemo.fingerprint() has it.';
comment on column mnemo.vault_home.since is 'By the real clock.';

-- Narrow, because a rotation rewrites every row of a tenant, and nothing else.
create table mnemo.data_key (
    id      uuid not null,
    tenant  text not null,
    purpose text not null check (purpose in ('item', 'memory', 'index')),
    epoch   integer not null,
    wrapped bytea not null,
    primary key (tenant, id)
);

create index data_key_epoch on mnemo.data_key (tenant, epoch, id);

comment on table mnemo.data_key is 'Every data key, wrapped by the epoch key of its tenant.';
comment on column mnemo.data_key.id is 'The vault item; of a memory its attribute $seal; of an index key mnemo.index_key_id.';
comment on column mnemo.data_key.purpose is 'item: opens a vault item; memory: the sealed parts of a memory; index: a blind index.';

create table mnemo.vault_item (
    id           uuid not null,
    tenant       text not null check (octet_length(tenant) between 1 and 1000),
    kind         text not null check (kind in ('memory', 'conversation', 'codebase')),
    name         text not null check (octet_length(name) between 1 and 1000),
    metadata     jsonb not null check (jsonb_typeof(metadata) = 'object'),
    bytes        bigint not null check (bytes >= 0),
    stored_bytes bigint not null check (stored_bytes >= 0),
    chunks       integer not null check (chunks > 0),
    chunk_bytes  integer not null check (chunk_bytes > 0),
    files        integer check (files >= 0),
    happened_at  timestamptz not null,
    created_at   timestamptz not null,
    scheme       text not null check (scheme in ('client', 'sql')),
    version      smallint not null,
    -- Of all keys of vaults the tenant is a part: were it not, an id would be refused that is another tenant's.
    primary key (tenant, id),
    unique (tenant, name)
);

create index vault_item_metadata on mnemo.vault_item using gin (metadata jsonb_path_ops);

comment on table mnemo.vault_item is 'Vault items: what can be known of each without its key. Names and metadata are not encrypted.';
comment on column mnemo.vault_item.bytes is 'Of the content, before it was sealed.';
comment on column mnemo.vault_item.stored_bytes is 'Of its chunks as they lie here, its name and its metadata: what a quota counts.';
comment on column mnemo.vault_item.chunk_bytes is 'Content that a chunk holds; the last may hold less.';
comment on column mnemo.vault_item.files is 'Of a codebase; null: it is none.';
comment on column mnemo.vault_item.scheme is 'client: sealed twice before it came, and once here; sql: by mnemo.vault_put alone.';
comment on column mnemo.vault_item.version is 'How it was sealed, the first byte of every chunk too.';

-- Chunks are written before their item, whose row says how many there are.
create table mnemo.vault_chunk (
    item     uuid not null,
    position integer not null check (position >= 0),
    tenant   text not null,
    body     bytea not null,
    primary key (tenant, item, position),
    foreign key (tenant, item) references mnemo.vault_item (tenant, id) on delete cascade deferrable initially deferred
);

alter table mnemo.vault_chunk alter column body set storage external;

comment on table mnemo.vault_chunk is 'The contents of vault items, in order of position.';
comment on column mnemo.vault_chunk.body is '32 bytes that authenticate it, and an OpenPGP message: see mnemo.vault_encrypt.';

-- Kept as long as its audit entry: what was destroyed, and what still has to be.
create table mnemo.shredding (
    id           uuid primary key,
    tenant       text not null,
    whole_tenant boolean not null,
    items        jsonb not null check (jsonb_typeof(items) = 'array'),
    memories     uuid[] not null,
    epochs       integer[] not null,
    requested_at timestamptz not null,
    requested_by name not null,
    finished_at  timestamptz,
    certificate  jsonb
);

create index shredding_pending on mnemo.shredding (tenant) where finished_at is null;

comment on table mnemo.shredding is 'What has been shredded. Until finished_at is set, the epoch keys that opened it are not all destroyed yet.';
comment on column mnemo.shredding.items is 'id, sha256 of the name, kind and creation of each item; their rows are gone.';
comment on column mnemo.shredding.epochs is 'Every epoch under which what was shredded may ever have been wrapped.';
comment on column mnemo.shredding.certificate is 'What was destroyed, and when; the audit has it with long lists as their length and hash.';
