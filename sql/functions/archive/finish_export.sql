-- The last step of an export: puts an archived segment in the place of the memories whose rows in its objects were read back
-- and verified, in one transaction; returns how many. Which rows, in which version, is in pg_temp.mnemo_exported
-- (row_number, bucket, id, tenant, collection, place, writer); p_archive is what is known of the objects (its segment, rows and archived_at are
-- filled in here). A memory changed, moved, pinned or forgotten since it was read, used since this began, held by somebody, or
-- of a tenant that may not be in this store any more, stays where it is or is gone: its row is dead. Null when somebody else rebuilds a partition or stays in the archive: try again.
-- MN012 when the attempt is no longer under way, MN014 when one of its objects has not been verified.
-- Invariant kept: in every snapshot a memory is either in mnemo.memory, with its activity row, or in
-- mnemo.archived_memory, whose row is the version that is in the objects; its key names it throughout.
-- Writers of other memories do not wait; those of these wait for the end.
create or replace function mnemo.finish_export(p_attempt uuid, p_archive mnemo.archive) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- One processor builds, the others answer.
set max_parallel_maintenance_workers = 0
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_segment   integer;
    v_idle      boolean;
    v_target    integer;
    v_relation  text;
    v_locked    uuid[];
    v_ids       uuid[];
    v_there     bigint;
    v_deleted   bigint;
    v_tenants   text[];
    v_events    jsonb[];
begin
    perform mnemo.require_staging('mnemo_exported');
    lock table only mnemo.memory in share update exclusive mode nowait;
    perform mnemo.require_attempt(p_attempt);
    select s.segment, s.announced_at is not null into v_segment, v_idle
    from mnemo.segment s where s.attempt = p_attempt and s.state = 'exporting';
    if not found then
        raise exception 'attempt % is no export', p_attempt using errcode = 'MN014';
    end if;
    if (select count(*) from mnemo.object o
        where o.attempt = p_attempt and o.state = 'stored'
          and o.key in ((p_archive).hdv_key, (p_archive).rows_key, (p_archive).manifest_key)) <> 3 then
        raise exception 'the objects of attempt % have not all been verified', p_attempt using errcode = 'MN014';
    end if;
    analyze pg_temp.mnemo_exported;
    v_target := mnemo.next_segment('archive');
    v_relation := 'archived_' || v_target;
    perform mnemo.create_partition(v_relation, 'archive');
    execute format(
        'insert into mnemo.%I (occurred_at, created_at, ltp_at, last_access, expires_at, segment, row_number, ltp, access_count, '
                              'bucket, id, tenant, collection, context, session, key, attributes, sketch, object_bytes) '
        'select m.occurred_at, m.created_at, a.ltp_at, a.last_access, case when r.age_of_stay then $1 else m.created_at end + r.age, %s, e.row_number, a.ltp, '
               'least(a.access_count, 2147483647), m.bucket, m.id, m.tenant, m.collection, m.context, m.session, m.key, m.attributes, '
               'substring(m.hdv from 1 for {archive_bits})::bit({archive_bits}), mnemo.object_bytes(m.content, m.embedding) '
        'from pg_temp.mnemo_exported e '
        'join mnemo.memory m on m.segment = %s and m.bucket = e.bucket and m.id = e.id and m.ctid = e.place and m.xmin = e.writer '
        'join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment '
        'join (select c.name, q.* from mnemo.collection c cross join lateral mnemo.deadline_rule(''archive'', c.name) as q) as r '
        'on r.name = m.collection '
        'order by e.row_number', v_relation, v_target, v_segment)
    using v_now;
    perform mnemo.injection_point('export.copied');
    perform mnemo.index_partition(v_relation, 'archive');
    execute format('analyze mnemo.%I', v_relation);
    perform mnemo.injection_point('export.indexed');

    -- Who waits for one of these rows holds mnemo.memory too: from here on nothing that conflicts with writers is asked of it.
    v_locked := array(
        select a.id from mnemo.activity a
        where a.id = any (array(select e.id from pg_temp.mnemo_exported e)) and a.segment = v_segment
        order by a.bucket, a.id
        for update of a skip locked);
    perform mnemo.injection_point('export.locked');
    -- Looked at again, now that nobody can change them.
    execute format(
        'select coalesce(array_agg(t.id order by t.row_number), ''{}'') from unnest($1) as w (id) '
        'join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id '
        'join mnemo.%I t on t.bucket = a.bucket and t.id = a.id '
        'join pg_temp.mnemo_exported e on e.row_number = t.row_number '
        'join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id and m.ctid = e.place and m.xmin = e.writer '
        'where a.segment = $2 and not a.pinned and a.access_count = t.access_count and a.ltp_at = t.ltp_at and a.tenant <> all ($3)', v_relation)
    into v_ids using v_locked, v_segment, mnemo.held_tenants();
    if v_ids = '{}' then
        execute format('drop table mnemo.%I', v_relation);
        perform mnemo.drop_objects(p_attempt);
        perform mnemo.end_attempt(p_attempt, 'sealed');
        return 0;
    end if;
    execute format('delete from mnemo.%I t where not exists (select from unnest($1) as w (id) where w.id = t.id)', v_relation) using v_ids;
    execute format('select count(*) from mnemo.%I', v_relation) into v_there;

    with gone as (
        delete from mnemo.activity a
        using unnest(v_ids) as w (id)
        where a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        returning a.id, a.tenant, mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life) as strength
    ), logged as (
        insert into mnemo.move_log (at, memory_id, tenant, from_tier, to_tier, segment, policy, reason, strength)
        select v_now, g.id, g.tenant, 'cold', 'archive', v_target,
               (select p.name from mnemo.policy p where p.kind = 'archive' and p.enabled and v_idle),
               case when v_idle then 'idle' else 'called' end, g.strength
        from gone g
        returning memory_id, tenant
    )
    select array_agg(e.tenant), array_agg(e.payload) into v_tenants, v_events
    from (select l.tenant, jsonb_build_object('from', 'cold', 'to', 'archive', 'segment', v_target,
                                              'reason', case when v_idle then 'idle' else 'called' end,
                                              'ids', jsonb_agg(l.memory_id order by l.memory_id)) as payload
          from logged l group by l.tenant order by l.tenant) as e;
    delete from mnemo.memory m using unnest(v_ids) as w (id)
    where m.segment = v_segment and m.bucket = mnemo.bucket_of(w.id) and m.id = w.id;
    get diagnostics v_deleted = row_count;
    delete from mnemo.pending_hypervector p using unnest(v_ids) as w (id) where p.bucket = mnemo.bucket_of(w.id) and p.id = w.id;
    delete from mnemo.accessed c using unnest(v_ids) as w (id) where c.bucket = mnemo.bucket_of(w.id) and c.id = w.id;
    if v_there <> cardinality(v_ids) or v_deleted <> cardinality(v_ids) then
        raise exception 'of % memories to archive % were copied and % deleted', cardinality(v_ids), v_there, v_deleted
            using errcode = 'data_corrupted', hint = 'Nothing has moved. mnemo.doctor(deep => true) tells more.';
    end if;
    perform mnemo.injection_point('export.rows_deleted');

    -- From here to the commit whoever reads the archive waits. A client's search holds it for as long as it reads from the store,
    -- so that a short try would hardly ever succeed.
    perform mnemo.lock_patiently('access exclusive', interval '500 milliseconds', 10, 'mnemo.archived_memory');
    perform mnemo.attach_partition(v_relation, v_target, 'archive', 'archived');
    p_archive.segment := v_target;
    p_archive.attempt := p_attempt;
    p_archive.rows := (select count(*) from pg_temp.mnemo_exported);
    p_archive.archived_at := v_now;
    insert into mnemo.archive select (p_archive).*;
    execute format(
        'insert into mnemo.tombstone (segment, row_number, id, tenant, collection, reason, at) '
        'select %s, e.row_number, e.id, e.tenant, e.collection, ''changed'', $1 from pg_temp.mnemo_exported e '
        'where not exists (select from mnemo.%I t where t.row_number = e.row_number)', v_target, v_relation) using v_now;
    -- Another worker, before this one, may have ordered the rows in another way.
    delete from mnemo.object o
    where o.attempt = p_attempt and o.owner <> (select i.database from mnemo.identity i where i.is_current)
      and o.key not in ((p_archive).hdv_key, (p_archive).rows_key, (p_archive).manifest_key);
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.attempt = p_attempt and o.state in ('writing', 'stored')
      and o.key not in ((p_archive).hdv_key, (p_archive).rows_key, (p_archive).manifest_key);
    perform mnemo.end_attempt(p_attempt, case when exists (select from mnemo.memory m where m.segment = v_segment) then 'sealed' else 'emptied' end);
    perform mnemo.publish_for(e.tenant, 'consolidation.trigger', array[null::uuid], array[e.payload])
    from unnest(v_tenants, v_events) as e (tenant, payload);
    perform mnemo.injection_point('export.attached');
    drop table pg_temp.mnemo_exported;
    return cardinality(v_ids);
exception
    when lock_not_available then
        return null;
end
$$;
