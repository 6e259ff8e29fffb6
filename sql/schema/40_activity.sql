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

create table mnemo.segment (
    segment      integer primary key,
    tier         text not null references mnemo.tier,
    state        text not null default 'open' check (state in ('open', 'sealed', 'emptied')),
    relation     text not null unique,
    created_at   timestamptz not null,
    announced_at timestamptz
);

comment on table mnemo.segment is 'The partitions of mnemo.memory. A tier has one open segment, which takes new rows; those that a consolidation built are sealed; emptied, that a merge has emptied.';
comment on column mnemo.segment.announced_at is 'When mnemo.archive_step last announced that nobody uses it; null: never.';
