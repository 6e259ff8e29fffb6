-- Every segment: where its memories are, what is being done to it, what it takes here and in the object store. All tenants.
create or replace view mnemo.segments as
select s.segment, s.tier, s.state, s.relation, greatest(c.reltuples, 0)::bigint as memories_estimated, r.rows as archived_rows,
       coalesce(t.dead, 0) as dead_rows, coalesce(pg_total_relation_size(c.oid), 0) as database_bytes, o.object_bytes, o.objects,
       split_part(r.manifest_key, '/', 1)::uuid as owner, r.hdv_key, r.rows_key, r.manifest_key,
       s.created_at, s.sealed_at, s.announced_at, r.archived_at, s.worker, s.lease_until, s.failures, s.error
from mnemo.segment s
left join mnemo.archive r using (segment)
left join pg_class c on c.oid = to_regclass(format('mnemo.%I', s.relation))
left join (select t.segment, count(*) as dead from mnemo.tombstone t group by t.segment) t using (segment)
left join (select o.attempt, sum(o.bytes)::bigint as object_bytes, count(*) as objects from mnemo.object o group by o.attempt) o
       on o.attempt = coalesce(r.attempt, s.attempt)
order by s.segment;

comment on view mnemo.segments is 'The segments of all tiers and of the archive, with their objects.';
comment on column mnemo.segments.memories_estimated is 'As of the last vacuum or analyze.';
comment on column mnemo.segments.archived_rows is 'Rows in the objects, dead ones included; null: it has none.';
comment on column mnemo.segments.dead_rows is 'Rows in the objects that are nobody''s memory any more.';
comment on column mnemo.segments.database_bytes is 'Bytes of the table, its indexes and what is out of line.';
comment on column mnemo.segments.object_bytes is 'Bytes of its objects.';
comment on column mnemo.segments.owner is 'The database that wrote the objects, which alone deletes them.';
comment on column mnemo.segments.worker is 'Who is, or was last, at it.';
comment on column mnemo.segments.error is 'Why the last attempt failed.';
