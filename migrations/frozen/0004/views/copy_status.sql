-- How the copies of memories in object storage stand: one row. All tenants.
create or replace view mnemo.copy_status as
select p.name as policy, p.after as within, q.pending, b.one is not null as queueing, q.oldest, mnemo.now() - q.oldest as lag,
       s.sets, s.rows, s.last_copied_at, o.object_bytes, w.attempts, w.failures, w.error
from (select count(*) as pending, min(u.at) as oldest from mnemo.uncopied u) q
cross join (select count(*) as sets, coalesce(sum(c.rows), 0)::bigint as rows, max(c.copied_at) as last_copied_at from mnemo.copy c) s
cross join (select coalesce(sum(o.bytes), 0)::bigint as object_bytes from mnemo.object o join mnemo.copy c using (attempt)) o
cross join (select count(*) as attempts, coalesce(max(a.failures), 0) as failures,
                   (array_agg(a.error order by a.failures desc) filter (where a.failures > 0))[1] as error
            from mnemo.copy_attempt a) w
left join mnemo.policy p on p.kind = 'copy' and p.enabled
left join mnemo.copy_backlog b on true;

comment on view mnemo.copy_status is 'Durability copies: what waits, since when, and why.';
comment on column mnemo.copy_status.policy is 'The policy that asks for copies; null: none, and nothing is copied.';
comment on column mnemo.copy_status.within is 'How long a memory may wait for its copy.';
comment on column mnemo.copy_status.pending is 'Writes whose copies have not been verified.';
comment on column mnemo.copy_status.queueing is 'Memories older than the policy are still being queued.';
comment on column mnemo.copy_status.lag is 'How long the oldest of them waits.';
comment on column mnemo.copy_status.rows is 'Rows in the copies: several of one memory, until they are merged.';
comment on column mnemo.copy_status.failures is 'Failures in a row of the attempt that failed most often.';
comment on column mnemo.copy_status.error is 'Why it failed last.';
