-- What recall learns: which memories of a context are used together, or one right after the other.
create table mnemo.association (
    tenant  text not null,
    context text not null,
    a       uuid not null,
    b       uuid not null,
    weight  double precision not null check (weight between 0 and 1),
    at      timestamptz not null,
    primary key (tenant, context, a, b)
) with (fillfactor = 80);

comment on table mnemo.association is 'In this context, b was recalled together with a, or right after it. Written by mnemo.learn_accesses only.';
comment on column mnemo.association.weight is 'How much a predicts b, 0 to 1, at the time `at`; from there it decays (association_half_life_days).';

create table mnemo.focus (
    tenant     text not null,
    context    text not null,
    memory_ids uuid[] not null,
    seen       timestamptz[] not null,
    at         timestamptz not null,
    primary key (tenant, context)
) with (fillfactor = 70);

comment on table mnemo.focus is 'The memories last recalled in each context: what mnemo.predict starts from.';
comment on column mnemo.focus.memory_ids is 'Last recalled first; at most association_hits of each recall, focus_memories in all.';
comment on column mnemo.focus.seen is 'When each of them was last recalled.';
comment on column mnemo.focus.at is 'Of the last recall that was learned from.';

-- What mnemo.recall returns.
create type mnemo.hit as (
    memory_id   uuid,
    key         text,
    tier        text,
    distance    integer,
    similarity  double precision,
    score       double precision,
    content     text,
    attributes  jsonb,
    created_at  timestamptz,
    score_terms jsonb,
    estimated   boolean
);

insert into mnemo.setting (name, value, description) values
    ('association_gain', 0.1, 'share of the missing weight that one more access together adds to an association'),
    ('association_half_life_days', 7, 'days after which an association that is not renewed has half its weight'),
    ('association_partners', 16, 'associations kept for a memory, the strongest'),
    ('association_hits', 5, 'hits of a recall that are associated, the first'),
    ('focus_memories', 8, 'memories last recalled in a context that predict the next'),
    ('prediction_window_seconds', 3600, 'seconds after which an access predicts nothing any more'),
    ('prediction_weight', 0.02, 'what a memory predicted for certain gains in the score of a recall; 0: off'),
    ('strength_weight', 0, 'what a memory of full strength gains in the score of a recall; 0: off');

-- Whoever wants memories at hand publishes inference.predict; mnemo.predict_step works it off.
insert into mnemo.subscription (name, topics, visibility, max_attempts, backoff, created_at)
values ('mnemo.prefetch', '{inference.predict}', '30 s', 5, '1 s', now());

insert into mnemo.event_cursor (subscription, lane, tick, floor, done)
select s.id, l.lane, -1, 0, '1:1:'
from mnemo.subscription s cross join generate_series(0, 63) as l (lane)
where s.name = 'mnemo.prefetch';
