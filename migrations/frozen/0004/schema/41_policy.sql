-- What moves when: one row a rule, one shape for all kinds.
-- tier: a slower tier after decay ('ltp') or disuse ('idle'). promotion: a faster tier by strength ('ltp') or accesses.
-- eviction: the least wanted leave a tier that is over its capacity. ttl: forgotten after so long, however strong.
-- archive: cold segments nobody used for so long leave for object storage.
-- copy: whatever is written is copied to object storage within so long.
create table mnemo.policy (
    name           text primary key check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    kind           text not null,
    tier           text,
    to_tier        text,
    collection     text,
    rule           text not null,
    threshold      double precision check (threshold > 0 and threshold <= 1),
    after          interval check (after > interval '0'),
    accesses       integer check (accesses > 0),
    within         interval check (within > interval '0'),
    capacity_rows  bigint check (capacity_rows > 0),
    capacity_bytes bigint check (capacity_bytes > 0),
    minimum_stay   interval not null check (minimum_stay >= interval '0'),
    enabled        boolean not null default true,
    created_at     timestamptz not null,
    constraint policy_scope unique nulls not distinct (kind, tier, collection),
    constraint policy_rule check (case kind
        when 'tier' then rule in ('ltp', 'idle') and (rule = 'idle') = (after is not null)
        when 'promotion' then rule in ('ltp', 'accesses') and (rule = 'accesses') = (accesses is not null)
        when 'eviction' then rule in ('lru', 'lfu', 'fifo', 'ltp') and coalesce(capacity_rows, capacity_bytes) is not null
        when 'ttl' then rule = 'age' and after is not null
        when 'archive' then rule = 'idle' and after is not null
        when 'copy' then rule = 'age' and after is not null
        else false
    end),
    constraint policy_tiers check (coalesce(case kind
        when 'tier' then (tier, to_tier) in (('hot', 'warm'), ('hot', 'cold'), ('warm', 'cold'))
        when 'promotion' then (tier, to_tier) in (('warm', 'hot'), ('cold', 'hot'), ('cold', 'warm'))
        when 'eviction' then (tier, to_tier) in (('hot', 'warm'), ('hot', 'cold'), ('warm', 'cold'))
        when 'ttl' then to_tier is null
        when 'archive' then tier = 'cold' and to_tier is null and collection is null
        when 'copy' then tier is null and to_tier is null and collection is null
        else true
    end, false))
);

comment on table mnemo.policy is 'What moves when. Of two policies of one kind and tier, that of the memory''s own collection counts, not the general one.';
comment on column mnemo.policy.tier is 'The tier whose memories it looks at; null (ttl, copy): every tier.';
comment on column mnemo.policy.collection is 'Whose memories; null: of every collection without a policy of its own of this kind and tier.';
comment on column mnemo.policy.rule is 'ltp: by strength; idle: by last use; accesses: by use in this tier; lru, lfu, fifo: whom to evict first; age: since written.';
comment on column mnemo.policy.threshold is 'Strength, 0 to 1; null: mnemo.tier.leaves_below, of tier (tier) or to_tier (promotion).';
comment on column mnemo.policy.after is 'How long unused (tier, archive), how old (ttl), or how old at most uncopied (copy).';
comment on column mnemo.policy.within is 'Promotion by accesses: the last of them at most so long ago.';
comment on column mnemo.policy.capacity_bytes is 'Bytes with index and all, mnemo.memory_bytes() a memory.';
comment on column mnemo.policy.minimum_stay is 'A memory stays in a tier so long before this policy moves it, so that rules do not oscillate.';

-- Every change of a policy, so that each can be explained and undone.
create table mnemo.policy_change (
    change      bigint generated always as identity primary key,
    at          timestamptz not null,
    policy      text not null,
    before      jsonb,
    after       jsonb,
    reason      text not null,
    reverted_by bigint references mnemo.policy_change
);

comment on table mnemo.policy_change is 'Changes of mnemo.policy; before null: added, after null: removed.';
comment on column mnemo.policy_change.reverted_by is 'The change that undid this one.';

-- At most one row: the deadlines in mnemo.activity of ids above `after` follow rules that have changed since.
create table mnemo.stale_deadline (
    one   boolean primary key default true check (one),
    after uuid not null,
    since xid8
);

comment on table mnemo.stale_deadline is 'Present while leaves_tier_at, due_at and expires_at await recomputation, in order of id; consolidation does that first.';
comment on column mnemo.stale_deadline.since is 'The transaction that changed the rules; null: all that were under way then have ended. One that had read the old rules may still write by them, so there is a second pass once they have.';

insert into mnemo.setting (name, value, description) values
    ('move_batch_rows', 500, 'memories that one transaction of a consolidation moves row by row'),
    ('bulk_move_rows', 20000, 'memories due at once from which a consolidation builds a partition instead'),
    ('bulk_move_most', 25000, 'memories that one such partition takes'),
    ('sealed_segments_most', 3, 'sealed partitions a tier may have before the small ones are merged'),
    ('rebuild_patience_seconds', 5, 'seconds for which a consolidation that has built a partition waits for writers to leave'),
    ('segment_rows', 1000000, 'memories from which a sealed partition is not merged any more'),
    ('prune_after_days', 30, 'days for which moves, job runs, telemetry and associations are kept');

insert into mnemo.policy (name, kind, tier, to_tier, rule, capacity_rows, minimum_stay, created_at) values
    ('hot-decay', 'tier', 'hot', 'warm', 'ltp', null, '1 hour', now()),
    ('warm-decay', 'tier', 'warm', 'cold', 'ltp', null, '1 hour', now()),
    ('warm-promotion', 'promotion', 'warm', 'hot', 'ltp', null, '1 hour', now()),
    ('cold-promotion', 'promotion', 'cold', 'warm', 'ltp', null, '1 hour', now()),
    ('hot-capacity', 'eviction', 'hot', 'warm', 'lru', 100000, '0', now());
