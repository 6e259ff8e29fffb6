-- What is remembered: one wide row a memory, moved between tiers, rarely updated.
-- Partitions are made by mnemo.create_partition only: PARTITION OF would lose toast_tuple_target and the tablespace of the indexes.
create table mnemo.memory (
    occurred_at timestamptz not null,
    created_at  timestamptz not null,
    segment     integer not null,
    bucket      smallint not null,
    id          uuid not null,
    tenant      text not null,
    collection  text not null,
    -- Before the texts, which an exact scan then never touches.
    hdv         bit({bits}) not null,
    context     text,
    session     text,
    key         text,
    content     text not null,
    attributes  jsonb not null default '{}' check (jsonb_typeof(attributes) = 'object'),
    embedding   bytea,
    encoded     "char" not null default 'g' check (encoded in ('g', 'w', 'c')),
    -- The id carries the bucket in its last ten bits: (id, bucket) unique means id unique. The id comes
    -- first, since it is what is asked for, and in order of time, so that inserts go to the end of the index.
    constraint memory_id_carries_bucket
        check (bucket = ((get_byte(uuid_send(id), 14) & 3) << 8 | get_byte(uuid_send(id), 15))),
    primary key (id, bucket, segment)
) partition by list (segment);

-- TOASTed, an exact scan of {bits}-bit vectors takes four times as long.
alter table mnemo.memory alter column hdv set storage plain, alter column hdv set statistics 0;

create index memory_sketch on mnemo.memory
    using hnsw ((substring(hdv from 1 for {sketch_bits})::bit({sketch_bits})) bit_hamming_ops);
create index memory_context on mnemo.memory (tenant, collection, context, session, occurred_at);
create index memory_attributes on mnemo.memory using gin (attributes jsonb_path_ops);

comment on table mnemo.memory is 'What is remembered, partitioned by segment: 0 hot, 1 and below 0 warm, from 2 on cold.';
comment on column mnemo.memory.segment is '0 hot, 1 and below 0 warm, 2 and above a cold segment.';
comment on column mnemo.memory.bucket is '0 to 1023, part of the id; the unit of distribution.';
comment on column mnemo.memory.context is 'What belongs together: a conversation, a task.';
comment on column mnemo.memory.session is 'Divides a context; memories are ordered within it by occurred_at, then by id.';
comment on column mnemo.memory.embedding is 'int8 embedding (two''s complement bytes) where the collection keeps it.';
comment on column mnemo.memory.encoded is 'How the hypervector came to be: g given by the user, w encoded at its writing, c at a consolidation, with what came before and after.';
comment on column mnemo.memory.hdv is 'The hypervector; component i is bit i, leftmost first.';

-- The user's key. A table partitioned by segment cannot hold this constraint.
create table mnemo.memory_key (
    tenant     text not null,
    collection text not null,
    key        text not null,
    bucket     smallint not null,
    id         uuid not null,
    primary key (tenant, collection, key)
);

comment on table mnemo.memory_key is 'The user''s key to memory id, unique per tenant and collection.';

-- Attributes on which ranges are asked for: each has an expression B-tree on every partition.
create table mnemo.ranged_attribute (
    name text primary key,
    type text not null check (type in ('number', 'text'))
);

comment on table mnemo.ranged_attribute is 'Attributes declared by mnemo.index_attribute; their values are scalar.';
