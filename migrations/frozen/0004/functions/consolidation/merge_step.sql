-- Merges the sealed partitions that mnemo.segments_to_merge names, since each is one more index to search. Returns how many
-- partitions were emptied, or dropped: an emptied one is dropped by a later call, see mnemo.drop_emptied. Built beside the
-- old ones and swapped in as mnemo.demote_in_bulk does; 0 when somebody else rebuilds a partition or stays in the table.
-- Invariant kept: the new partition, the rows deleted from the old ones and the activity rows that name it are one
-- transaction, and in every older snapshot the memories are where they were.
create or replace function mnemo.merge_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tier     text;
    v_old      integer[];
    v_segment  integer;
    v_relation text;
    v_done     bigint;
    v_moved    bigint;
    v_there    bigint;
    v_before   text := current_setting('lock_timeout');
begin
    v_done := mnemo.drop_emptied();
    if v_done > 0 then
        return v_done;
    end if;
    foreach v_tier in array array['warm', 'cold'] loop
        v_old := mnemo.segments_to_merge(v_tier);
        exit when v_old <> '{}';
    end loop;
    if v_old = '{}' or mnemo.table_is_held() or not mnemo.open_copy() then
        return 0;
    end if;
    -- An export may have begun meanwhile; from here on none of these does.
    v_old := array(
        select s.segment from mnemo.segment s where s.segment = any (v_old) and s.state = 'sealed' order by s.segment
        for update skip locked);
    if v_old = '{}' then
        drop table pg_temp.mnemo_copied;
        return 0;
    end if;
    insert into pg_temp.mnemo_copied
    select m.bucket, m.id, m.segment, m.ctid, m.xmin from mnemo.memory m where m.segment = any (v_old);
    v_segment := mnemo.next_segment(v_tier);
    v_relation := mnemo.copy_to_partition(v_segment);

    perform mnemo.lock_patiently('share row exclusive', interval '100 milliseconds', mnemo.setting('rebuild_patience_seconds'));
    perform mnemo.injection_point('merge.writers_wait');
    -- A writer that had looked for its segment before that was sealed may have put another memory there: the next call takes it, too.
    if exists (select from mnemo.memory m
               where m.segment = any (v_old)
                 and not exists (select from pg_temp.mnemo_copied c where c.bucket = m.bucket and c.id = m.id)) then
        raise lock_not_available;
    end if;
    -- Whoever holds one of these rows (an access being counted, say) is waited for, not long: nobody can write meanwhile.
    perform set_config('lock_timeout', '1s', true);
    perform from pg_temp.mnemo_copied c
    join mnemo.activity a on a.bucket = c.bucket and a.id = c.id
    where a.segment = c.segment
    order by a.bucket, a.id
    for update of a;
    perform set_config('lock_timeout', v_before, true);
    -- Changed or gone since it was copied.
    execute format(
        'delete from mnemo.%I n using pg_temp.mnemo_copied c '
        'where n.bucket = c.bucket and n.id = c.id and not exists (select from mnemo.memory m '
            'where m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer)', v_relation);
    delete from mnemo.memory m using pg_temp.mnemo_copied c
    where m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer;
    get diagnostics v_moved = row_count;
    perform mnemo.queue_copies(array(
        select p.id from mnemo.pending_hypervector p join pg_temp.mnemo_copied c on p.bucket = c.bucket and p.id = c.id));
    delete from mnemo.pending_hypervector p using pg_temp.mnemo_copied c where p.bucket = c.bucket and p.id = c.id;
    execute format('select count(*) from mnemo.%I', v_relation) into v_there;
    if v_moved <> v_there then
        raise exception '% memories were merged, % deleted', v_there, v_moved
            using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo.doctor(deep => true) tells more.';
    end if;
    if v_there > 0 or exists (select from mnemo.memory m where m.segment = any (v_old)) then
        perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds', 1);
        perform mnemo.attach_partition(v_relation, v_segment, v_tier, 'sealed');
        -- What was changed since it was copied follows row by row.
        update mnemo.memory m set segment = v_segment where m.segment = any (v_old);
        -- They hold no memory that was not copied: it was looked at above.
        update mnemo.activity a set segment = v_segment
        from pg_temp.mnemo_copied c
        where a.bucket = c.bucket and a.id = c.id and a.segment = c.segment;
    else
        execute format('drop table mnemo.%I', v_relation);
    end if;
    update mnemo.segment s set state = 'emptied' where s.segment = any (v_old);
    perform mnemo.injection_point('merge.attached');
    drop table pg_temp.mnemo_copied;
    return cardinality(v_old);
exception
    when lock_not_available then
        return 0;
end
$$;
