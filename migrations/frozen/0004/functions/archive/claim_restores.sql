-- Takes requests to restore memories: those of the segment and tier whose oldest has waited longest, at most `most`. Whoever
-- takes them calls mnemo.restore_memories, or mnemo.fail_restores; from a worker that dies others take them once its lease
-- has ended. Requests for what is archived no more are dropped.
create or replace function mnemo.claim_restores(most integer default 500)
returns table (segment integer, row_number integer, memory_id uuid, tier text, reason text)
language plpgsql volatile
rows 500
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_until timestamptz := clock_timestamp() + make_interval(secs => mnemo.setting('archive_lease_seconds'));
    v_next  record;
    v_ids   uuid[];
begin
    delete from mnemo.restore_request r
    where not exists (select from mnemo.archived_memory a where a.bucket = r.bucket and a.id = r.id);
    select a.segment, r.tier into v_next
    from mnemo.restore_request r
    join mnemo.archived_memory a on a.bucket = r.bucket and a.id = r.id
    where r.retry_at is null or r.retry_at <= clock_timestamp()
    order by r.requested_at, r.id
    limit 1;
    if not found then
        return;
    end if;
    v_ids := array(
        select r.id
        from mnemo.restore_request r
        where r.id = any (array(
                  select q.id from mnemo.restore_request q
                  join mnemo.archived_memory a on a.bucket = q.bucket and a.id = q.id
                  where a.segment = v_next.segment and q.tier = v_next.tier and (q.retry_at is null or q.retry_at <= clock_timestamp())
                  order by q.requested_at, q.id
                  limit claim_restores.most))
        order by r.bucket, r.id
        for update of r skip locked);
    update mnemo.restore_request r set retry_at = v_until where r.id = any (v_ids);
    perform mnemo.injection_point('restore.claimed');
    return query
    select a.segment, a.row_number, r.id, r.tier, r.reason
    from mnemo.restore_request r
    join mnemo.archived_memory a on a.bucket = r.bucket and a.id = r.id
    where r.id = any (v_ids)
    order by a.row_number;
end
$$;
