-- Hypervectors that a worker has made of memories about to move, with what came after them too. The pass that moves a
-- memory gives it its own, so that its indexes are maintained once. All of it can be made again.
create table mnemo.pending_hypervector (
    made_at timestamptz not null,
    segment integer not null,
    bucket  smallint not null,
    id      uuid not null,
    place   tid not null,
    writer  xid not null,
    hdv     bit({bits}) not null,
    primary key (id, bucket)
);

alter table mnemo.pending_hypervector alter column hdv set storage plain, alter column hdv set statistics 0;

comment on table mnemo.pending_hypervector is 'Hypervectors that memories get when they move next; written by mnemo.stage_hypervectors only.';
comment on column mnemo.pending_hypervector.place is 'With segment and writer: the version of the memory that it was made of (ctid, xmin). Of another version it is never used.';
comment on column mnemo.pending_hypervector.hdv is 'With what came before and after.';
