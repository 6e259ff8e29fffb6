-- What moved, when and why. Kept for a time, see mnemo.prune.
create table mnemo.move_log (
    at        timestamptz not null,
    memory_id uuid not null,
    tenant    text not null,
    from_tier text not null,
    to_tier   text not null,
    segment   integer not null,
    policy    text,
    reason    text not null,
    strength  real not null
);

create index move_log_memory on mnemo.move_log (memory_id);
create index move_log_at on mnemo.move_log using brin (at);

comment on table mnemo.move_log is 'Every move of a memory between tiers.';
comment on column mnemo.move_log.segment is 'The partition it went into; above 1,000,000 an archived segment.';
comment on column mnemo.move_log.policy is 'The policy that moved it; null: somebody''s call.';
comment on column mnemo.move_log.reason is 'decay, idle, capacity, accesses, strength, predicted, rewritten (its key was used again), restored, or called.';
comment on column mnemo.move_log.strength is 'Its strength at that moment.';

-- Memories outside the hot tier that were used since promotion last looked at them: nobody else can have become stronger.
create table mnemo.accessed (
    bucket smallint not null,
    id     uuid not null,
    primary key (id, bucket)
) with (fillfactor = 70);

comment on table mnemo.accessed is 'Slower memories used since the promotion rules last looked at them.';

-- Accesses counted by day, for rates and reports; written by mnemo.fold_accesses.
create table mnemo.access_daily (
    day        date not null,
    tenant     text not null,
    collection text not null,
    tier       text not null,
    accesses   bigint not null,
    primary key (day, tenant, collection, tier)
) with (fillfactor = 70);

comment on table mnemo.access_daily is 'Accesses a day (UTC), by the tier that held the memory when they were counted.';
