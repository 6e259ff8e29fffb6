-- Work that repeats. One row a job; its row lock, held for the transaction of a step, is what keeps two workers apart.
create table mnemo.job (
    name            text primary key check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$'),
    function        text not null,
    arguments       jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object'),
    every           interval not null check (every > interval '0' and every <= interval '100 years'),
    enabled         boolean not null default true,
    disabled_reason text,
    next_run_at     timestamptz not null,
    last_step_at    timestamptz,
    failures        integer not null default 0 check (failures >= 0),
    max_failures    integer not null default 5 check (max_failures between 1 and 1000),
    backoff         interval not null default '10 seconds' check (backoff between interval '1 millisecond' and interval '1 hour'),
    constraint job_disabled check (enabled = (disabled_reason is null))
) with (fillfactor = 50);

comment on table mnemo.job is 'Work that repeats; changed with mnemo.add_job, alter_job, remove_job and run_job_now.';
comment on column mnemo.job.function is 'Schema-qualified function of one jsonb that does one short transaction''s worth of work and returns how much; 0: the run is over.';
comment on column mnemo.job.next_run_at is 'Due from then on; a job whose run is open stays due.';
comment on column mnemo.job.last_step_at is 'By the real clock, whatever mnemo.now() says: the job that waited longest has the next step.';
comment on column mnemo.job.failures is 'Runs that failed, in a row.';
comment on column mnemo.job.max_failures is 'From so many failures in a row the job is disabled.';
comment on column mnemo.job.backoff is 'Wait after the first failure; doubled with each further one, at most every, or 1 hour where that is longer.';

create table mnemo.job_run (
    run        bigint generated always as identity primary key,
    job        text not null references mnemo.job on delete cascade,
    started_at timestamptz not null,
    ended_at   timestamptz,
    state      text not null default 'running' check (state in ('running', 'succeeded', 'failed')),
    steps      bigint not null default 0,
    work       bigint not null default 0,
    seconds    double precision not null default 0,
    worker     text not null,
    error      text,
    constraint job_run_ended check ((ended_at is null) = (state = 'running')),
    constraint job_run_error check ((error is not null) = (state = 'failed'))
) with (fillfactor = 80);

create index job_run_of_job on mnemo.job_run (job, run desc);
create unique index job_run_open on mnemo.job_run (job) where state = 'running';

comment on table mnemo.job_run is 'Runs of jobs. At most one of a job is open; whichever worker comes next goes on with it.';
comment on column mnemo.job_run.steps is 'Steps that returned, each a transaction.';
comment on column mnemo.job_run.work is 'Sum of what the steps returned.';
comment on column mnemo.job_run.seconds is 'Real time spent in steps, as of the last one that ended.';
comment on column mnemo.job_run.worker is 'Who did the last step, or does it now.';

insert into mnemo.job (name, function, every, enabled, disabled_reason, next_run_at) values
    ('fold_accesses', 'mnemo.fold_step', '10 seconds', true, null, now()),
    ('fold_terms', 'mnemo.fold_terms_step', '1 minute', true, null, now()),
    ('consolidate', 'mnemo.consolidate_step', '1 hour', true, null, now()),
    ('expire', 'mnemo.expire_step', '10 minutes', true, null, now()),
    ('trim_events', 'mnemo.trim_events', '1 minute', true, null, now()),
    ('telemetry', 'mnemo.telemetry_step', '10 seconds', true, null, now()),
    ('adapt', 'mnemo.adapt_step', '5 minutes', false, 'off until enabled: it changes policies by itself', now()),
    ('prune', 'mnemo.prune_step', '1 day', true, null, now()),
    ('archive', 'mnemo.archive_step', '1 day', true, null, now()),
    ('predict', 'mnemo.predict_step', '2 seconds', true, null, now());
