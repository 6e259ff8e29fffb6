-- Moves many memories down at once: copies those whose stay in p_tier is over into a new partition of the slower tier,
-- builds its indexes, and then, under a short lock, puts it in place of the rows it was copied from. Recall waits for
-- milliseconds at the very end, writers for as long as it takes to delete the old rows; a row changed since it was copied
-- stays, for the next consolidation. Returns how many moved; 0 when fewer than bulk_move_rows are due, when somebody else
-- rebuilds a partition, or stays in the table in a long transaction: then mnemo.demote_step goes row by row.
-- Invariant kept: the new partition, the deletion of the old rows and the activity rows that name it are one
-- transaction, and each row moved is the version that was copied. Row locks are taken after the table's, and without
-- waiting: who waits for a row of ours cannot be holding the table.
create or replace function mnemo.demote_in_bulk(p_tier text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now      timestamptz := mnemo.now();
    v_least    bigint := mnemo.setting('bulk_move_rows');
    v_most     bigint := mnemo.setting('bulk_move_most');
    v_group    record;
    v_segment  integer;
    v_relation text;
    v_ids      uuid[];
    v_copied   bigint;
    v_deleted  bigint;
begin
    if (select count(*) from (select from mnemo.activity a where a.tier = p_tier and a.due_at <= v_now limit v_least) as d) < v_least then
        return 0;
    end if;
    if mnemo.table_is_held() or not mnemo.open_copy() then
        return 0;
    end if;
    -- One partition goes to one tier; what is due by other rules is left to the next steps.
    with leaving as materialized (
        select r.to_tier, r.policy, case r.leave_rule when 'ltp' then 'decay' else 'idle' end as reason, d.id
        from (select * from mnemo.activity a where a.tier = p_tier and a.due_at <= v_now order by a.due_at limit v_most) as d
        join (select c.name, q.* from mnemo.collection c cross join lateral mnemo.deadline_rule(p_tier, c.name) as q) as r
          on r.name = d.collection
        where d.leaves_tier_at <= v_now and d.entered_tier_at + r.minimum_stay <= v_now
    )
    select l.to_tier, l.policy, l.reason, array_agg(l.id) as ids into v_group
    from leaving l
    group by l.to_tier, l.policy, l.reason
    having count(*) >= v_least
    order by count(*) desc
    limit 1;
    if not found then
        drop table pg_temp.mnemo_copied;
        return 0;
    end if;
    insert into pg_temp.mnemo_copied
    select m.bucket, m.id, m.segment, m.ctid, m.xmin
    from unnest(v_group.ids) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id;
    v_segment := mnemo.next_segment(v_group.to_tier);
    v_relation := mnemo.copy_to_partition(v_segment);

    -- From here on writers wait.
    perform mnemo.lock_patiently('share row exclusive', interval '100 milliseconds', mnemo.setting('rebuild_patience_seconds'));
    perform mnemo.injection_point('bulk.writers_wait');
    v_ids := array(
        select a.id from pg_temp.mnemo_copied c
        join mnemo.activity a on a.bucket = c.bucket and a.id = c.id
        join mnemo.memory m on m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer
        where a.tier = p_tier and a.segment = c.segment and a.leaves_tier_at <= v_now and not a.pinned
        order by a.bucket, a.id
        for update of a skip locked);
    if v_ids = '{}' then
        execute format('drop table mnemo.%I', v_relation);
        drop table pg_temp.mnemo_copied;
        return 0;
    end if;
    -- Forgotten, changed, used or pinned since, or held by somebody: no longer ours to move.
    execute format('delete from mnemo.%I m where not exists (select from unnest($1) as w (id) where w.id = m.id)', v_relation) using v_ids;
    execute format('select count(*) from mnemo.%I', v_relation) into v_copied;
    -- Before the old rows go: deadlines may count from the writing of a memory.
    perform mnemo.record_move(v_ids, v_segment, v_group.policy, v_group.reason);
    delete from mnemo.memory m
    using pg_temp.mnemo_copied c join unnest(v_ids) as w (id) on w.id = c.id
    where m.segment = c.segment and m.bucket = c.bucket and m.id = c.id;
    get diagnostics v_deleted = row_count;
    perform mnemo.queue_copies(array(select p.id from mnemo.pending_hypervector p where p.id = any (v_ids)));
    delete from mnemo.pending_hypervector p where p.id = any (v_ids);
    if v_copied <> cardinality(v_ids) or v_deleted <> cardinality(v_ids) then
        raise exception 'of % memories to move % were copied and % deleted', cardinality(v_ids), v_copied, v_deleted
            using errcode = 'data_corrupted', hint = 'Nothing has moved. mnemo.doctor(deep => true) tells more.';
    end if;
    perform mnemo.injection_point('bulk.rows_deleted');

    -- From here to the commit recall waits: nothing is scanned or built. Somebody who had planned a query without the new
    -- partition would not find the memories in it.
    perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds', 1);
    perform mnemo.attach_partition(v_relation, v_segment, v_group.to_tier, 'sealed');
    perform mnemo.injection_point('bulk.attached');
    drop table pg_temp.mnemo_copied;
    return cardinality(v_ids);
exception
    when lock_not_available then
        return 0;
end
$$;
