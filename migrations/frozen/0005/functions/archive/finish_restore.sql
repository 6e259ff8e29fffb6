-- The last step of restoring a whole segment: puts a partition of the tier (warm or cold) in its place, made of what was read
-- into pg_temp.mnemo_fetched: every row, dead ones too, whose words are counted no more from here on. Built beside everybody;
-- writers wait at the end, for as long as it takes to write the activity rows, recall for milliseconds. Returns how many
-- memories came back; null when somebody else rebuilds a partition or stays in a table: try again.
-- MN012 when the attempt is no longer under way, MN014 when rows are missing, data_corrupted for rows that are not what was
-- archived, MN002 for another tier.
-- Invariant kept: in every snapshot a memory is either archived or in mnemo.memory, with its activity row; its key names it
-- throughout.
create or replace function mnemo.finish_restore(attempt uuid, tier text default 'warm') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- One processor builds, the others answer.
set max_parallel_maintenance_workers = 0
as $$
#variable_conflict use_variable
declare
    v_old      integer;
    v_read     uuid;
    v_segment  integer;
    v_relation text;
    v_rows     mnemo.archived_memory[];
    v_there    bigint;
begin
    perform mnemo.require_staging('mnemo_fetched');
    if tier is null or tier not in ('warm', 'cold') then
        raise exception 'a segment is restored to warm or cold, not %', coalesce(quote_literal(tier), 'null') using errcode = 'MN002';
    end if;
    lock table only mnemo.memory in share update exclusive mode nowait;
    perform mnemo.require_attempt(attempt);
    select s.segment, r.attempt into v_old, v_read
    from mnemo.segment s join mnemo.archive r using (segment)
    where s.attempt = finish_restore.attempt and s.state = 'restoring';
    if not found then
        raise exception 'attempt % restores no segment', attempt using errcode = 'MN014';
    end if;
    analyze pg_temp.mnemo_fetched;
    select count(*) into v_there from pg_temp.mnemo_fetched f where f.attempt = v_read;
    if v_there <> (select r.rows from mnemo.archive r where r.segment = v_old) then
        raise exception 'of archived segment % only % rows were read', v_old, v_there using errcode = 'MN014';
    end if;
    v_segment := mnemo.next_segment(tier);
    v_relation := format('memory_%s_%s', tier, abs(v_segment));
    perform mnemo.create_partition(v_relation, tier);
    perform mnemo.check_fetched(array(select a from mnemo.archived_memory a where a.segment = v_old));
    execute format(
        'insert into mnemo.%I (occurred_at, created_at, segment, bucket, id, tenant, collection, context, session, key, content, '
                              'attributes, embedding, encoded, hdv) '
        'select a.occurred_at, a.created_at, %s, a.bucket, a.id, a.tenant, a.collection, a.context, a.session, a.key, f.content, '
               'a.attributes, f.embedding, f.encoded, f.hdv::bit({bits}) '
        'from mnemo.archived_memory a join pg_temp.mnemo_fetched f on f.attempt = $1 and f.row_number = a.row_number '
        'where a.segment = %s order by a.id', v_relation, v_segment, v_old) using v_read;
    perform mnemo.injection_point('restore.copied');
    perform mnemo.index_partition(v_relation, tier);
    execute format('analyze mnemo.%I', v_relation);
    perform mnemo.injection_point('restore.indexed');

    -- From here on writers wait. Whoever changes the archive holds mnemo.memory, or counts accesses, which is soon done.
    perform mnemo.lock_patiently('share row exclusive', interval '100 milliseconds', mnemo.setting('rebuild_patience_seconds'));
    perform mnemo.lock_patiently('exclusive', interval '20 milliseconds', 1, 'mnemo.archived_memory');
    perform mnemo.injection_point('restore.writers_wait');
    -- What was forgotten, rewritten or restored, or has other attributes, since it was copied.
    execute format('delete from mnemo.%I m where not exists (select from mnemo.archived_memory a '
                   'where a.segment = %s and a.bucket = m.bucket and a.id = m.id)', v_relation, v_old);
    execute format('update mnemo.%I m set attributes = a.attributes from mnemo.archived_memory a '
                   'where a.segment = %s and a.bucket = m.bucket and a.id = m.id and a.attributes <> m.attributes', v_relation, v_old);
    v_rows := array(
        select mnemo.with_uses(a, c)
        from mnemo.archived_memory a left join mnemo.archived_access c on c.bucket = a.bucket and c.id = a.id
        where a.segment = v_old);
    perform mnemo.size_fetched(v_rows);
    perform mnemo.readmit(v_rows, v_segment, 'restored');
    delete from mnemo.archived_access c using mnemo.archived_memory a where a.segment = v_old and c.bucket = a.bucket and c.id = a.id;
    delete from mnemo.restore_request q using mnemo.archived_memory a where a.segment = v_old and q.bucket = a.bucket and q.id = a.id;
    perform mnemo.uncount_tombstones(array[v_old]);
    execute format('select count(*) from mnemo.%I', v_relation) into v_there;
    if v_there <> cardinality(v_rows) or mnemo.empty_segments(array[v_old]) <> v_there then
        raise exception 'of % archived memories % were restored', cardinality(v_rows), v_there
            using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo.doctor(deep => true) tells more.';
    end if;
    perform mnemo.end_attempt(attempt, 'emptied');
    perform mnemo.injection_point('restore.rows_deleted');

    -- From here to the commit recall waits. Somebody who had planned a query without the new partition would miss what is in it.
    if v_there > 0 then
        perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds', 1);
        perform mnemo.attach_partition(v_relation, v_segment, tier, 'sealed');
    else
        execute format('drop table mnemo.%I', v_relation);
    end if;
    perform mnemo.injection_point('restore.attached');
    return v_there;
exception
    -- Who waits for the archive while reading it is in the way, too.
    when lock_not_available or deadlock_detected then
        return null;
end
$$;
