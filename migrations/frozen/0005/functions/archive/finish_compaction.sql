-- The last step of a compaction: puts one archived segment in the place of those that it was made of, in one transaction;
-- returns how many memories it has. Which of their rows became which is in pg_temp.mnemo_kept, the dead rows that were left
-- out, whose words are counted no more from here on, are in pg_temp.mnemo_fetched; p_archive is what is known of the new
-- objects (its segment, rows and archived_at are filled in here), or null where nothing was alive. What has been forgotten,
-- rewritten or restored since it was read is a dead row of the new segment; attributes and times of expiry that have changed
-- go along. Null when somebody else rebuilds a partition or stays in the archive: try again.
-- MN012 when the attempt is no longer under way, MN014 when one of its objects has not been verified, or rows are missing.
-- Invariant kept: in every snapshot an archived memory has one row, which names the row of the objects that is its own.
-- Who changes archived memories waits while rows are deleted, recall for milliseconds.
create or replace function mnemo.finish_compaction(p_attempt uuid, p_archive mnemo.archive) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- One processor builds, the others answer.
set max_parallel_maintenance_workers = 0
as $$
declare
    v_old      integer[];
    v_target   integer;
    v_relation text;
    v_rows     bigint := (select count(*) from pg_temp.mnemo_kept);
    v_there    bigint := 0;
    v_missing  record;
    v_stones   mnemo.tombstone[];
    v_dropped  bigint;
begin
    perform mnemo.require_staging('mnemo_kept');
    perform mnemo.require_staging('mnemo_fetched');
    lock table only mnemo.memory in share update exclusive mode nowait;
    perform mnemo.require_attempt(p_attempt);
    v_old := array(select s.segment from mnemo.segment s where s.attempt = p_attempt and s.state = 'compacting' order by s.segment);
    if v_old = '{}' then
        raise exception 'attempt % is no compaction', p_attempt using errcode = 'MN014';
    end if;
    if v_rows > 0 and (select count(*) from mnemo.object o
                       where o.attempt = p_attempt and o.state = 'stored'
                         and o.key in ((p_archive).hdv_key, (p_archive).rows_key, (p_archive).manifest_key)) <> 3 then
        raise exception 'the objects of attempt % have not all been verified', p_attempt using errcode = 'MN014';
    end if;
    analyze pg_temp.mnemo_kept;
    v_target := mnemo.next_segment('archive');
    v_relation := 'archived_' || v_target;
    perform mnemo.create_partition(v_relation, 'archive');
    execute format(
        'insert into mnemo.%I (occurred_at, created_at, ltp_at, last_access, expires_at, segment, row_number, ltp, access_count, '
                              'bucket, id, tenant, collection, context, session, key, attributes, sketch, object_bytes) '
        'select a.occurred_at, a.created_at, a.ltp_at, a.last_access, a.expires_at, %s, k.row_number, a.ltp, a.access_count, '
               'a.bucket, a.id, a.tenant, a.collection, a.context, a.session, a.key, a.attributes, a.sketch, a.object_bytes '
        'from pg_temp.mnemo_kept k '
        'join mnemo.archive r on r.attempt = k.attempt '
        'join mnemo.archived_memory a on a.segment = r.segment and a.bucket = mnemo.bucket_of(k.id) and a.id = k.id and a.row_number = k.old_row '
        'where a.segment = any ($1) order by k.row_number', v_relation, v_target) using v_old;
    perform mnemo.injection_point('compact.copied');
    perform mnemo.index_partition(v_relation, 'archive');
    execute format('analyze mnemo.%I', v_relation);
    perform mnemo.injection_point('compact.indexed');

    -- Before any row: who waits for one of these holds the table in a mode that this one waits for.
    perform mnemo.lock_patiently('exclusive', interval '20 milliseconds', mnemo.setting('rebuild_patience_seconds'), 'mnemo.archived_memory');
    perform mnemo.injection_point('compact.writers_wait');
    select r.segment, x.row_number into v_missing
    from mnemo.archive r
    join (select a.segment, a.row_number from mnemo.archived_memory a where a.segment = any (v_old)
          union all
          select t.segment, t.row_number from mnemo.tombstone t
          where t.segment = any (v_old) and t.reason in ('forgotten', 'rewritten')
            and not exists (select from pg_temp.mnemo_fetched f join mnemo.archive q on q.attempt = f.attempt
                            where q.segment = t.segment and f.row_number = t.row_number)) as x using (segment)
    where not exists (select from pg_temp.mnemo_kept k where k.attempt = r.attempt and k.old_row = x.row_number)
    limit 1;
    if found then
        raise exception 'row % of archived segment % was not read', v_missing.row_number, v_missing.segment using errcode = 'MN014';
    end if;
    execute format('delete from mnemo.%I n where not exists (select from mnemo.archived_memory a '
                   'where a.segment = any ($1) and a.bucket = n.bucket and a.id = n.id)', v_relation) using v_old;
    execute format('update mnemo.%I n set attributes = a.attributes, expires_at = a.expires_at from mnemo.archived_memory a '
                   'where a.segment = any ($1) and a.bucket = n.bucket and a.id = n.id '
                     'and (a.attributes <> n.attributes or a.expires_at is distinct from n.expires_at)', v_relation) using v_old;
    v_stones := array(
        select row(v_target, k.row_number, t.id, t.tenant, t.collection, t.reason, t.at, t.attributes)::mnemo.tombstone
        from pg_temp.mnemo_kept k
        join mnemo.archive r on r.attempt = k.attempt
        join mnemo.tombstone t on t.segment = r.segment and t.row_number = k.old_row
        where r.segment = any (v_old));
    delete from pg_temp.mnemo_fetched f using pg_temp.mnemo_kept k where k.attempt = f.attempt and k.old_row = f.row_number;
    perform mnemo.uncount_tombstones(v_old);
    select min(r.archived_at), sum(r.rows) - v_rows into p_archive.archived_at, v_dropped from mnemo.archive r where r.segment = any (v_old);
    execute format('select count(*) from mnemo.%I', v_relation) into v_there;
    if mnemo.empty_segments(v_old) <> v_there or v_there + cardinality(v_stones) <> v_rows then
        raise exception 'of % rows of a compaction % are memories and % are dead', v_rows, v_there, cardinality(v_stones)
            using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo.doctor(deep => true) tells more.';
    end if;
    -- What an earlier try of this attempt wrote, of other rows.
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.attempt = p_attempt and o.state in ('writing', 'stored')
      and (v_rows = 0 or o.key not in ((p_archive).hdv_key, (p_archive).rows_key, (p_archive).manifest_key));
    perform mnemo.end_attempt(p_attempt, 'emptied');
    perform mnemo.injection_point('compact.rows_deleted');

    if v_rows = 0 then
        execute format('drop table mnemo.%I', v_relation);
        perform mnemo.record_audit('segment.compact', null, jsonb_build_object('segments', v_old, 'rows', 0, 'dropped', v_dropped), '');
        return 0;
    end if;
    -- From here to the commit whoever reads the archive waits.
    perform mnemo.lock_patiently('access exclusive', interval '500 milliseconds', 10, 'mnemo.archived_memory');
    perform mnemo.attach_partition(v_relation, v_target, 'archive', 'archived');
    p_archive.segment := v_target;
    p_archive.attempt := p_attempt;
    p_archive.rows := v_rows;
    insert into mnemo.archive select (p_archive).*;
    insert into mnemo.tombstone select (t).* from unnest(v_stones) as t;
    perform mnemo.injection_point('compact.attached');
    perform mnemo.record_audit('segment.compact', v_target::text, jsonb_build_object('segments', v_old, 'rows', v_rows, 'dropped', v_dropped), '');
    return v_there;
exception
    -- Who waits for the archive while reading it is in the way, too.
    when lock_not_available or deadlock_detected then
        return null;
end
$$;
