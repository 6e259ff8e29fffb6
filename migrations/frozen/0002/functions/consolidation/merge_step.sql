-- Merges the sealed partitions that mnemo.segments_to_merge names, since each is one more index to search. Returns how many
-- partitions are gone. Built beside the old ones and swapped in as mnemo.demote_in_bulk does.
-- Invariant kept: the new partition, the end of the old ones and the activity rows that name it are one transaction.
create or replace function mnemo.merge_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tier     text;
    v_old      integer[];
    v_segment  integer;
    v_relation text;
    v_gone     text;
    v_moved    bigint;
    v_there    bigint;
    v_before   text := current_setting('lock_timeout');
begin
    foreach v_tier in array array['warm', 'cold'] loop
        v_old := mnemo.segments_to_merge(v_tier);
        exit when v_old <> '{}';
    end loop;
    if v_old = '{}' or not mnemo.open_copy() then
        return 0;
    end if;
    insert into pg_temp.copied
    select m.bucket, m.id, m.segment, m.ctid, m.xmin from mnemo.memory m where m.segment = any (v_old);
    v_segment := mnemo.next_segment(v_tier);
    v_relation := mnemo.copy_to_partition(v_segment);

    perform mnemo.lock_patiently('share row exclusive', interval '100 milliseconds');
    perform mnemo.injection_point('merge.writers_wait');
    -- Whoever holds one of these rows (a pin, say) is waited for, not long: nobody can write meanwhile.
    perform set_config('lock_timeout', '1s', true);
    perform from mnemo.activity a where a.segment = any (v_old) order by a.bucket, a.id for update;
    perform set_config('lock_timeout', v_before, true);
    -- Changed or gone since it was copied.
    execute format(
        'delete from mnemo.%I n using pg_temp.copied c '
        'where n.bucket = c.bucket and n.id = c.id and not exists (select from mnemo.memory m '
            'where m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer)', v_relation);
    delete from mnemo.memory m using pg_temp.copied c
    where m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer;
    get diagnostics v_moved = row_count;
    execute format('select count(*) from mnemo.%I', v_relation) into v_there;
    if v_moved <> v_there then
        raise exception '% memories were merged, % deleted', v_there, v_moved
            using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo.doctor(deep => true) tells more.';
    end if;
    perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds');
    if v_there > 0 or exists (select from mnemo.memory m where m.segment = any (v_old)) then
        perform mnemo.attach_partition(v_relation, v_segment, v_tier, 'sealed');
        -- What was changed since it was copied follows row by row.
        update mnemo.memory m set segment = v_segment where m.segment = any (v_old);
        update mnemo.activity a set segment = v_segment where a.segment = any (v_old);
    else
        execute format('drop table mnemo.%I', v_relation);
    end if;
    perform mnemo.injection_point('merge.attached');
    foreach v_segment in array v_old loop
        delete from mnemo.segment s where s.segment = v_segment returning s.relation into v_gone;
        execute format('alter table mnemo.memory detach partition mnemo.%I', v_gone);
        execute format('drop table mnemo.%I', v_gone);
    end loop;
    perform mnemo.injection_point('merge.dropped');
    drop table pg_temp.copied;
    return cardinality(v_old);
end
$$;
