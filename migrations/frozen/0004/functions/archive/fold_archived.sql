-- Counts accesses of archived memories (rows of mnemo.access_log; p_others: ids that are not archived) in
-- mnemo.archived_access, and asks for those to be restored that have been used archive_restore_accesses times.
-- Invariant kept: an archived row is share-locked while its access is counted, so that none is counted for one that has left.
create or replace function mnemo.fold_archived(p_log mnemo.access_log[], p_others uuid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_most     integer := mnemo.setting('archive_restore_accesses');
    v_archived uuid[];
begin
    if not exists (select from mnemo.archive) then
        return;
    end if;
    v_archived := array(
        select a.id from mnemo.archived_memory a
        where a.id = any (array(
            select distinct i.id from unnest(p_log) as l cross join unnest(l.memory_ids) as i (id)
            except select w.id from unnest(p_others) as w (id)))
        order by a.bucket, a.id
        for share of a);
    if v_archived = '{}' then
        return;
    end if;
    with access as (
        select i.id, count(*)::integer as accesses, max(l.at) as last_access
        from unnest(p_log) as l cross join unnest(l.memory_ids) as i (id)
        where i.id = any (v_archived)
        group by i.id
    ), counted as (
        insert into mnemo.archived_access as c (bucket, id, accesses, last_access)
        select mnemo.bucket_of(a.id), a.id, a.accesses, a.last_access from access a order by 1, 2
        on conflict (id, bucket) do update
        set accesses = c.accesses + excluded.accesses, last_access = greatest(c.last_access, excluded.last_access)
        returning c.bucket, c.id, c.accesses
    )
    insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)
    select c.bucket, c.id, 'warm', 'accesses', mnemo.now() from counted c where c.accesses >= v_most order by 1, 2
    on conflict (id, bucket) do nothing;
    insert into mnemo.access_daily as d (day, tenant, collection, tier, accesses)
    select (mnemo.now() at time zone 'UTC')::date, a.tenant, a.collection, 'archive', count(*)
    from unnest(p_log) as l cross join unnest(l.memory_ids) as i (id)
    join mnemo.archived_memory a on a.bucket = mnemo.bucket_of(i.id) and a.id = i.id
    where i.id = any (v_archived)
    group by a.tenant, a.collection
    order by a.tenant, a.collection
    on conflict (day, tenant, collection, tier) do update set accesses = d.accesses + excluded.accesses;
    perform mnemo.injection_point('archive.accesses_counted');
end
$$;
