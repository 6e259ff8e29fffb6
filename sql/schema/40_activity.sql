-- The one place that says which tier a memory is in, and how strong it is. Narrow and often updated:
-- the room left in each page keeps updates heap-only, as long as no indexed column changes.
create table mnemo.activity (
    bucket          smallint not null,
    id              uuid not null,
    segment         integer not null,
    ltp             real not null check (ltp between 0 and 1),
    pinned          boolean not null default false,
    ltp_at          timestamptz not null,
    last_access     timestamptz,
    entered_tier_at timestamptz not null,
    leaves_tier_at  timestamptz,
    due_at          timestamptz,
    access_count    bigint not null default 0,
    tier            text not null,
    tenant          text not null,
    collection      text not null,
    tier_accesses   integer not null default 0,
    expires_at      timestamptz,
    primary key (id, bucket),
    constraint activity_tier_of_segment check (tier = mnemo.tier_of_segment(segment))
) with (fillfactor = 70);

create index activity_due on mnemo.activity (tier, due_at);
create index activity_expires on mnemo.activity (expires_at) where expires_at is not null;

comment on table mnemo.activity is 'One row a memory: tier, segment, strength, accesses.';
comment on column mnemo.activity.ltp is 'Strength at ltp_at, 0 to 1; it decays from there (mnemo.strength).';
comment on column mnemo.activity.leaves_tier_at is 'When the tier policy that applies first moves the memory, if nobody uses it again; null: never.';
comment on column mnemo.activity.due_at is 'No demotion scan need look before; a lower bound, rewritten only when a scan meets it too early. Null: never, or pinned.';
comment on column mnemo.activity.tier_accesses is 'Accesses since the memory entered its tier.';
comment on column mnemo.activity.expires_at is 'When a ttl policy forgets the memory; null: never, or pinned.';

-- One row a recall, folded into activity later. A crash may lose accesses, never a memory.
create unlogged table mnemo.access_log (
    at         timestamptz not null,
    memory_ids uuid[] not null,
    tenant     text not null default 'default',
    context    text
);

comment on table mnemo.access_log is 'Recalls not yet counted in mnemo.activity: one row each, with the ids that it returned.';

-- The life of a segment. In mnemo.memory: open (takes new rows) -> sealed -> exporting -> emptied, and dropped.
-- Exported, its memories are in a segment of their own, archived, a partition of mnemo.archived_memory; compacting and
-- restoring, a worker reads its objects to make another segment of it; emptied, it is dropped too.
create table mnemo.segment (
    segment      integer primary key,
    tier         text not null references mnemo.tier,
    state        text not null default 'open' check (state in ('open', 'sealed', 'exporting', 'archived', 'compacting', 'restoring', 'emptied')),
    relation     text not null unique,
    created_at   timestamptz not null,
    announced_at timestamptz,
    sealed_at    timestamptz,
    attempt      uuid,
    worker       text,
    lease_until  timestamptz,
    failures     integer not null default 0,
    error        text,
    constraint segment_attempt check ((state in ('exporting', 'compacting', 'restoring')) = (attempt is not null)),
    constraint segment_lease check ((attempt is null) = (lease_until is null))
);

comment on table mnemo.segment is 'The partitions of mnemo.memory and of mnemo.archived_memory, and what is being done to them.';
comment on column mnemo.segment.state is 'open: takes new rows, one of each tier; sealed: takes none; exporting: on its way to object storage; archived: there; compacting, restoring: read from there; emptied: dropped once no snapshot needs it.';
comment on column mnemo.segment.announced_at is 'When mnemo.archive_step last announced that nobody uses it; null: never.';
comment on column mnemo.segment.sealed_at is 'Since when it takes no new rows; null: it does.';
comment on column mnemo.segment.attempt is 'What is under way, and the folder of the objects that it writes; whoever goes on with it writes into the same.';
comment on column mnemo.segment.worker is 'Who is, or was last, at it.';
comment on column mnemo.segment.lease_until is 'By the real clock: until then nobody else goes on with it.';
comment on column mnemo.segment.failures is 'Attempts in a row that failed; each next one waits twice as long.';
comment on column mnemo.segment.error is 'Why the last one failed.';
