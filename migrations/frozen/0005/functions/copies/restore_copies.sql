-- Brings back the memories in pg_temp.copy_staging (mnemo.open_copy_staging) that this database lacks, and returns which. One
-- whose activity row is there goes where that says, another into the tier named in staging. Left out are memories that are
-- there, those forgotten since, and those whose key is another memory's by now.
-- What counts words is left as it is. data_corrupted for one whose content is not what was copied.
-- Invariant kept: a memory brought back has one row in mnemo.memory, its activity and its key, as any other, and the id, times
-- and content that it had. Quotas are counted anew, and refuse nothing. Locks: the table,
-- quotas, keys, activity, memory.
create or replace function mnemo.restore_copies() returns setof uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := mnemo.now();
    v_ids uuid[];
    v_bad uuid;
begin
    perform mnemo.require_staging('copy_staging');
    perform mnemo.lock_for_writing();
    analyze pg_temp.copy_staging;
    perform from mnemo.quota q where q.tenant in (select s.tenant from pg_temp.copy_staging s) order by q.tenant for no key update;
    v_ids := array(select l.id from mnemo.lost_copies(array(select s.id from pg_temp.copy_staging s)) l);
    insert into mnemo.memory_key (tenant, collection, key, bucket, id)
    select s.tenant, s.collection, s.key, mnemo.bucket_of(s.id), s.id
    from pg_temp.copy_staging s
    where s.id = any (v_ids) and s.key is not null
    order by s.tenant, s.collection, s.key
    on conflict (tenant, collection, key) do nothing;
    perform from pg_temp.copy_staging s
    join mnemo.memory_key k on k.tenant = s.tenant and k.collection = s.collection and k.key = s.key and k.id = s.id
    where s.id = any (v_ids)
    order by s.tenant, s.collection, s.key
    for update of k;
    perform from mnemo.activity a where a.id = any (v_ids) order by a.bucket, a.id for update of a;
    -- Looked at again, now that nobody else can write them.
    v_ids := array(
        select s.id
        from pg_temp.copy_staging s
        join mnemo.lost_copies(v_ids) l on l.id = s.id
        where s.key is null or exists (select from mnemo.memory_key k
                                       where k.tenant = s.tenant and k.collection = s.collection and k.key = s.key and k.id = s.id)
        order by s.id);
    perform mnemo.injection_point('copies.restoring');

    insert into mnemo.activity (bucket, id, segment, tier, tenant, collection, ltp, ltp_at, last_access, access_count, entered_tier_at, pinned)
    select mnemo.bucket_of(s.id), s.id, o.segment, o.tier, s.tenant, s.collection, s.strength, s.strength_at, s.last_access,
           s.access_count, v_now, s.pinned
    from pg_temp.copy_staging s
    join mnemo.open_segment o on o.tier = s.tier
    where s.id = any (v_ids)
    order by s.id
    on conflict (id, bucket) do nothing;
    -- Its partition may be gone with what was in it.
    update mnemo.activity a set segment = o.segment
    from mnemo.open_segment o
    where a.id = any (v_ids) and o.tier = a.tier
      and not exists (select from mnemo.segment s where s.segment = a.segment and s.state in ('open', 'sealed'));
    insert into mnemo.memory (occurred_at, created_at, segment, bucket, id, tenant, collection, context, session, key, content,
                              attributes, embedding, encoded, hdv)
    select s.occurred_at, s.created_at, a.segment, a.bucket, s.id, s.tenant, s.collection, s.context, s.session, s.key, s.content,
           s.attributes, s.embedding, s.encoded, s.hdv::bit({bits})
    from pg_temp.copy_staging s
    join mnemo.activity a on a.bucket = mnemo.bucket_of(s.id) and a.id = s.id
    where s.id = any (v_ids)
    order by s.id;
    select m.id into v_bad
    from pg_temp.copy_staging s
    join mnemo.memory m on m.bucket = mnemo.bucket_of(s.id) and m.id = s.id
    where s.id = any (v_ids) and mnemo.content_hash(m) <> s.content_sha256
    limit 1;
    if found then
        raise exception 'the content of memory % is not what was copied', v_bad
            using errcode = 'data_corrupted', hint = 'Nothing was brought back with it.';
    end if;
    perform mnemo.set_deadlines(v_ids);
    perform mnemo.queue_copies(v_ids);
    perform mnemo.recount_usage(q.tenant)
    from mnemo.quota q
    where q.tenant in (select s.tenant from pg_temp.copy_staging s where s.id = any (v_ids))
    order by q.tenant;
    perform mnemo.injection_point('copies.restored');
    perform mnemo.record_audit('memory.restore', null, jsonb_build_object('memories', count(*)), s.tenant)
    from pg_temp.copy_staging s where s.id = any (v_ids) group by s.tenant order by s.tenant;
    return query select unnest(v_ids);
end
$$;
