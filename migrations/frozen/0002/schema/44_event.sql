-- The event bus: an append-only log, read by groups of consumers, each at its own pace. No event is ever updated or
-- deleted: the log is a ring of tables, of which the oldest is truncated once nobody needs it.
create table mnemo.topic (
    name        text primary key check (name ~ '^[a-z0-9_][a-z0-9_.-]{0,99}$'),
    kept        boolean not null,
    description text not null
);

comment on table mnemo.topic is 'What events can be about.';
comment on column mnemo.topic.kept is 'Its events are always written; those of other topics only while a subscription wants them.';

-- One process takes numbers in order: a number taken later is larger, which the order of events rests on.
create sequence mnemo.event_seq cache 1;
create sequence mnemo.event_lease cache 1;
-- Three cells of memory: unlike a row, a sequence is set at once, for all, and without a lock until the end of the transaction.
create sequence mnemo.event_room minvalue 0;
create sequence mnemo.event_full minvalue 0;
create sequence mnemo.event_asleep minvalue 0;

comment on sequence mnemo.event_seq is 'The numbers of events.';
comment on sequence mnemo.event_lease is 'The tokens of leases; the order of claims.';
comment on sequence mnemo.event_room is 'Up to this number events are published without counting the backlog.';
comment on sequence mnemo.event_full is 'What a group looked like when its backlog was last found full (mnemo.require_room).';
comment on sequence mnemo.event_asleep is '1: a consumer went to sleep since the last NOTIFY.';

create table mnemo.event (
    seq       bigint not null,
    xid       xid8 not null,
    memory_id uuid,
    at        timestamptz not null,
    slot      smallint not null,
    lane      smallint not null check (lane between 0 and 63),
    topic     text not null,
    tenant    text not null,
    context   text,
    payload   jsonb not null
) partition by list (slot);

create index event_xid on mnemo.event (xid, lane);
create index event_lane on mnemo.event (lane, seq);

do $$
begin
    for v_slot in 0..7 loop
        execute format('create table mnemo.event_%s partition of mnemo.event for values in (%s)', v_slot, v_slot);
        execute format('comment on table mnemo.event_%s is %L', v_slot, 'A slot of the ring of mnemo.event.');
    end loop;
end
$$;

comment on table mnemo.event is 'The log of events, all tenants: appended to by mnemo.publish, truncated slot by slot by mnemo.trim_events.';
comment on column mnemo.event.seq is 'Taken after xid, in the order of publishing; numbers of rolled-back events are missing.';
comment on column mnemo.event.xid is 'The transaction that published it.';
comment on column mnemo.event.lane is 'By tenant and context: events of one context share a lane, lanes are consumed in parallel.';
comment on column mnemo.event.slot is 'The table of the ring that holds it.';

create table mnemo.event_log (
    one boolean primary key default true check (one),
    slot smallint not null
);

comment on table mnemo.event_log is 'One row: the slot that takes new events.';

-- The state of the log that consumers have agreed on. Events of a tick: visible in its snapshot, not in the one before.
create table mnemo.event_head (
    one      boolean primary key default true check (one),
    tick     bigint not null,
    floor    bigint not null,
    ceiling  bigint not null,
    next_floor bigint not null,
    made_by  xid8 not null,
    snapshot pg_snapshot not null,
    lanes    bigint[] not null
) with (fillfactor = 20);

comment on table mnemo.event_head is 'One row: the newest tick, that is the newest snapshot of the log that consumers read up to.';
comment on column mnemo.event_head.floor is 'Of events up to this number, the transaction is older than the upper end of the snapshot.';
comment on column mnemo.event_head.ceiling is 'Events visible in the snapshot have numbers up to this one.';
comment on column mnemo.event_head.next_floor is 'The newest number when transaction made_by, of this tick or an earlier one, had not begun: a floor for all snapshots that see made_by.';
comment on column mnemo.event_head.lanes is 'By lane, the newest tick with an event in it.';

create table mnemo.subscription (
    id           integer generated always as identity primary key,
    name         text not null unique check (length(name) between 1 and 100),
    topics       text[] not null,
    visibility   interval not null check (visibility > interval '0'),
    max_attempts integer not null check (max_attempts between 1 and 1000),
    backoff      interval not null check (backoff >= interval '0'),
    created_at   timestamptz not null
);

comment on table mnemo.subscription is 'Groups of consumers: each event goes to every group that wants its topic, and within it to one consumer.';
comment on column mnemo.subscription.visibility is 'How long a consumer may hold events without a sign of life.';
comment on column mnemo.subscription.backoff is 'Wait before the second attempt; it doubles with each further one.';

-- Where a group is in each lane: it has all events visible in done, and of those visible in upto all up to seq.
create table mnemo.event_cursor (
    subscription integer not null references mnemo.subscription on delete cascade,
    lane         smallint not null,
    exhausted    boolean not null default false,
    batch_parked integer not null default 0,
    batch_events integer not null default 0,
    isolate      integer not null default 0,
    tick         bigint not null,
    floor        bigint not null,
    upto_tick    bigint,
    upto_floor   bigint,
    ceiling      bigint,
    seq          bigint not null default 0,
    batch_to     bigint,
    batch_only   bigint,
    acknowledged bigint not null default 0,
    lease        bigint not null default 0,
    leased_until timestamptz,
    retry_at     timestamptz,
    done         pg_snapshot not null,
    upto         pg_snapshot,
    primary key (subscription, lane)
) with (fillfactor = 20);

comment on table mnemo.event_cursor is 'How far each subscription is in each lane, and who holds the lane.';
comment on column mnemo.event_cursor.upto is 'The snapshot being worked off; null: all of done, and nothing after it.';
comment on column mnemo.event_cursor.exhausted is 'The leased events are the last of upto.';
comment on column mnemo.event_cursor.batch_to is 'Number of the last leased event of the log.';
comment on column mnemo.event_cursor.batch_only is 'Number of the leased event, where it is only one.';
comment on column mnemo.event_cursor.isolate is 'So many events are leased singly, since a consumer died on one of them.';
comment on column mnemo.event_cursor.acknowledged is 'Events done, parked or given up, so far.';
comment on column mnemo.event_cursor.leased_until is 'Null: nobody holds the lane.';
comment on column mnemo.event_cursor.retry_at is 'When the next parked event of the lane is due; null: none is parked.';

-- Events that failed, and those of the same context that came after them: full copies, so that the log need not wait.
create table mnemo.event_retry (
    subscription integer not null references mnemo.subscription on delete cascade,
    attempts     integer not null,
    place        bigint generated always as identity,
    seq          bigint not null,
    memory_id    uuid,
    at           timestamptz not null,
    not_before   timestamptz,
    lane         smallint not null,
    alone        boolean not null default false,
    topic        text not null,
    tenant       text not null,
    context      text,
    payload      jsonb not null,
    error        text,
    primary key (subscription, seq)
);

create index event_retry_lane on mnemo.event_retry (subscription, lane, place);

comment on table mnemo.event_retry is 'Parked events: to be tried again, or waiting for an earlier one of their context.';
comment on column mnemo.event_retry.place is 'The order within a context.';
comment on column mnemo.event_retry.not_before is 'Null: as soon as it is the first of its context.';
comment on column mnemo.event_retry.alone is 'A consumer died on it: leased without others.';

create table mnemo.dead_letter (
    id           bigint generated always as identity primary key,
    subscription integer not null references mnemo.subscription on delete cascade,
    attempts     integer not null,
    seq          bigint not null,
    memory_id    uuid,
    at           timestamptz not null,
    died_at      timestamptz not null,
    lane         smallint not null,
    topic        text not null,
    tenant       text not null,
    context      text,
    payload      jsonb not null,
    error        text
);

create index dead_letter_subscription on mnemo.dead_letter (subscription);

comment on table mnemo.dead_letter is 'Events given up after max_attempts, until they are replayed or discarded.';

insert into mnemo.topic (name, kept, description) values
    ('memory.write', true, 'A memory was stored or changed; delivered with its hypervector.'),
    ('memory.forget', true, 'A memory was forgotten.'),
    ('memory.access', false, 'Memories were recalled.'),
    ('consolidation.trigger', true, 'Memories moved between tiers.'),
    ('inference.predict', true, 'Memories that a context will need soon.');

insert into mnemo.event_log (slot) values (0);
insert into mnemo.event_head (tick, floor, ceiling, next_floor, made_by, snapshot, lanes)
values (0, 0, 0, 0, '1', '1:1:', array_fill(0::bigint, array[64]));

insert into mnemo.setting (name, value, description) values
    ('event_keep_count', 100000, 'newest events that stay in the log'),
    ('event_keep_hours', 2, 'hours that an event stays in the log at least'),
    ('event_backlog_most', 1000000, 'events that a subscription may be behind before publishing is refused');
