-- What a tenant may hold, and where. A tenant without a row here has no limits, and nothing of it is counted: only those
-- with one pay for it. Writers change the counters in their own transactions (mnemo.lock_quota, mnemo.charge), so that a
-- rollback or a crash gives everything back.
create table mnemo.quota (
    set_at            timestamptz not null,
    writes_full_at    timestamptz not null,
    memories_used     bigint not null,
    bytes_used        bigint not null,
    memories          bigint check (memories >= 0),
    bytes             bigint check (bytes >= 0),
    writes_per_minute integer check (writes_per_minute >= 0),
    tenant            text primary key check (octet_length(tenant) between 1 and 1000)
) with (fillfactor = 50);

comment on table mnemo.quota is 'Limits of tenants, and what they have used of them; null: no limit.';
comment on column mnemo.quota.memories_used is 'Archived ones included; vault items are none.';
comment on column mnemo.quota.bytes_used is 'Of memories by mnemo.payload_bytes, wherever they lie, and of the chunks of vault items.';
comment on column mnemo.quota.writes_full_at is 'When the bucket of writes is full again, if nobody writes: it fills in a minute, and a write takes its share of that.';

-- One row, changed whenever a tenant gets its first quota or another residency. Transactions of an older snapshot, which
-- would not see that, fail on it (mnemo.lock_quota).
create table mnemo.quota_change (
    one    boolean primary key default true check (one),
    number bigint not null
);

comment on table mnemo.quota_change is 'How often quotas and residencies began; what a writer of an older snapshot fails on.';

insert into mnemo.quota_change (number) values (0);

create table mnemo.residency (
    tenant text primary key check (octet_length(tenant) between 1 and 1000),
    stores text[] not null check (stores <> '{}' and array_position(stores, null) is null),
    set_at timestamptz not null,
    held   boolean not null
);

comment on table mnemo.residency is 'Object stores that may hold data of a tenant; one without a row may be in any.';
comment on column mnemo.residency.stores is 'URLs: a store is meant by its own, or by one of the folders that it lies in.';
comment on column mnemo.residency.held is 'The store in use is none of them: memories are neither archived nor copied, and stay here.';

-- Bytes that left with an archived memory, as a quota counts them. Memories archived before there were quotas count with
-- their hypervectors alone, until they come back.
alter table mnemo.archived_memory add column object_bytes integer not null default {bits} / 8;
comment on column mnemo.archived_memory.object_bytes is 'Bytes of its hypervector, content and embedding, which are in the object.';
