-- What was used and held, every ten seconds: what tuning goes by.
create table mnemo.telemetry (
    at            timestamptz primary key,
    since         timestamptz not null,
    hot_accesses  bigint not null,
    warm_accesses bigint not null,
    cold_accesses bigint not null,
    hot_memories  bigint not null,
    warm_memories bigint not null,
    cold_memories bigint not null,
    hot_bytes     bigint not null,
    warm_bytes    bigint not null,
    cold_bytes    bigint not null,
    hot_hit_rate  double precision generated always as
        (hot_accesses::double precision / nullif(hot_accesses + warm_accesses + cold_accesses, 0)) stored
);

comment on table mnemo.telemetry is 'Samples of the tiers, all tenants, written by mnemo.telemetry_step; kept for prune_after_days.';
comment on column mnemo.telemetry.since is 'The sample before: accesses are those counted between the two.';
comment on column mnemo.telemetry.hot_accesses is 'Accesses of memories in hot, as mnemo.fold_accesses counts them.';
comment on column mnemo.telemetry.hot_memories is 'Counted up to 10,000, above that about as many.';
comment on column mnemo.telemetry.hot_bytes is 'On disk, with indexes.';
comment on column mnemo.telemetry.hot_hit_rate is 'Share of the accesses that hot answered; null: there were none.';

-- How far the counts of mnemo.access_daily have been read.
create table mnemo.telemetry_mark (
    tier     text primary key references mnemo.tier,
    day      date not null,
    accesses bigint not null,
    total    bigint not null
) with (fillfactor = 50);

comment on table mnemo.telemetry_mark is 'Where the last sample of mnemo.telemetry stopped counting accesses.';
comment on column mnemo.telemetry_mark.accesses is 'Those of `day` and later that are in a sample.';
comment on column mnemo.telemetry_mark.total is 'All that are in a sample, or were there before the first.';

-- Policies whose number tunes itself.
create table mnemo.adaptive (
    policy        text primary key references mnemo.policy on delete cascade,
    parameter     text not null check (parameter in ('capacity_rows', 'threshold')),
    target        double precision not null check (target > 0 and target < 1),
    lowest        double precision not null check (lowest > 0),
    highest       double precision not null check (highest < 'infinity'),
    learning_rate double precision not null check (learning_rate > 0 and learning_rate <= 1),
    deadband      double precision not null check (deadband >= 0.001 and deadband <= 0.5),
    enabled       boolean not null,
    pace          double precision not null default 1 check (pace > 0 and pace <= 1),
    direction     smallint not null default 0 check (direction in (-1, 0, 1)),
    evidence_from timestamptz not null,
    began         text not null default 'unsettled' check (began in ('unsettled', 'filling', 'full')),
    checked_at    timestamptz,
    last_change   bigint references mnemo.policy_change,
    status        text not null,
    constraint adaptive_bounds check (lowest < highest)
) with (fillfactor = 50);

-- All of them steer by the same rate: two at once would answer for each other's doing.
create unique index adaptive_one on mnemo.adaptive ((true)) where enabled;

comment on table mnemo.adaptive is 'Policies that mnemo.adapt_step tunes towards a hot hit rate, while the job adapt is enabled.';
comment on column mnemo.adaptive.parameter is 'The column of mnemo.policy that changes.';
comment on column mnemo.adaptive.target is 'Hot hit rate to reach: the share of accesses that the hot tier answers.';
comment on column mnemo.adaptive.lowest is 'The parameter stays from here ...';
comment on column mnemo.adaptive.highest is '... to here.';
comment on column mnemo.adaptive.learning_rate is 'How much of the way to what seems right one change goes, 0 to 1.';
comment on column mnemo.adaptive.deadband is 'A hit rate so near the target is left alone.';
comment on column mnemo.adaptive.pace is 'Factor on the learning rate: halved when a change takes back the one before.';
comment on column mnemo.adaptive.direction is 'Where the last change went: 1 up, -1 down, 0 none yet.';
comment on column mnemo.adaptive.evidence_from is 'Samples that began earlier say nothing about the present value.';
comment on column mnemo.adaptive.began is 'How it was then: the last change had not taken effect, hot had room left, or hot was as full as it may be.';
comment on column mnemo.adaptive.last_change is 'Its last row in mnemo.policy_change.';
comment on column mnemo.adaptive.status is 'What it decided last, and why.';
