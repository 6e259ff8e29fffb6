-- How far each source has been read. Advanced in the transaction that writes the rows, so that an ingest killed at
-- any moment and started again writes each row once.
create table mnemo.ingest (
    tenant     text not null,
    collection text not null references mnemo.collection on delete cascade,
    source     text not null,
    position   bigint not null check (position >= 0),
    started_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant, collection, source)
);

comment on table mnemo.ingest is 'Sources being read, and how many of their records have been read: those are stored, or were skipped.';
comment on column mnemo.ingest.source is 'What is read, by the SHA-256 of its content.';
