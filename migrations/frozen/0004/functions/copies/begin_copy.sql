-- Takes the next queued memories to copy them, or goes on with those of a worker that has not been heard of since its lease
-- ended, and returns the attempt. No row when nothing is queued that nobody works on, or no copy policy is enabled.
-- Invariant kept: attempts have numbers in the order in which they begin, and each reads the memories afterwards. So the copy
-- with the greatest number is no older than the last write that any copy took from the queue.
create or replace function mnemo.begin_copy(worker text) returns setof mnemo.copy_attempt
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_lease interval := make_interval(secs => mnemo.setting('archive_lease_seconds'));
    v_seqs  bigint[];
begin
    lock table mnemo.copy_attempt in share row exclusive mode;
    if not exists (select from mnemo.policy p where p.kind = 'copy' and p.enabled) then
        return;
    end if;
    return query
    update mnemo.copy_attempt c
    set worker = begin_copy.worker, lease_until = clock_timestamp() + v_lease
    where c.number = (select min(d.number) from mnemo.copy_attempt d where d.merges = '{}' and d.lease_until <= clock_timestamp())
    returning c.*;
    if found then
        return;
    end if;
    v_seqs := array(
        select u.seq from mnemo.uncopied u
        where u.seq not in (select t.seq from mnemo.copy_attempt c cross join unnest(c.seqs) as t (seq))
        order by u.seq
        limit mnemo.setting('copy_batch_rows')::integer);
    if v_seqs <> '{}' then
        return query
        insert into mnemo.copy_attempt as c (attempt, seqs, merges, worker, lease_until)
        values (gen_random_uuid(), v_seqs, '{}', begin_copy.worker, clock_timestamp() + v_lease)
        returning c.*;
    end if;
    perform mnemo.injection_point('copies.begun');
end
$$;
