-- Takes memories of this tenant out of the archive: their rows become tombstones, since the objects stay as they are until a
-- compaction. Returns the rows that there were, with what they were used for since; those that are not there, or are gone
-- once they are ours, are left out. The caller has locked the table and the keys.
-- Invariant kept: an archived row and its tombstone never are both there, and one of them always is.
create or replace function mnemo.bury(p_ids uuid[], p_reason text) returns mnemo.archived_memory[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now      timestamptz := mnemo.now();
    v_archived mnemo.archived_memory[];
begin
    perform from mnemo.archived_memory a
    where a.id = any (p_ids) and a.tenant = mnemo.tenant()
    order by a.bucket, a.id
    for update of a;
    with buried as (
        delete from mnemo.archived_memory a
        where a.id = any (p_ids) and a.tenant = mnemo.tenant()
        returning a
    ), used as (
        delete from mnemo.archived_access c where c.id = any (p_ids)
        returning c.id, c.accesses, c.last_access
    ), dead as (
        insert into mnemo.tombstone (segment, row_number, id, tenant, collection, reason, at, attributes)
        select (b.a).segment, (b.a).row_number, (b.a).id, (b.a).tenant, (b.a).collection, p_reason, v_now,
               case when p_reason <> 'restored' then (
                   select jsonb_object_agg(t.key, t.value)
                   from mnemo.collection c
                   cross join jsonb_each((b.a).attributes) as t
                   where c.name = (b.a).collection and c.encoding -> 'roles' ? t.key)
               end
        from buried b
    )
    select array_agg(row((b.a).occurred_at, (b.a).created_at, coalesce(s.at, (b.a).ltp_at), coalesce(u.last_access, (b.a).last_access),
                         (b.a).expires_at, (b.a).segment, (b.a).row_number, coalesce(s.ltp, (b.a).ltp),
                         (b.a).access_count + coalesce(u.accesses, 0), (b.a).bucket, (b.a).id, (b.a).tenant, (b.a).collection,
                         (b.a).context, (b.a).session, (b.a).key, (b.a).attributes, (b.a).sketch)::mnemo.archived_memory)
    into v_archived
    from buried b
    left join used u on u.id = (b.a).id
    -- As if all uses had been at the time of the last.
    left join lateral (
        select greatest(u.last_access, (b.a).ltp_at) as at,
               (1 - power(1 - mnemo.setting('potentiation'), u.accesses)
                    * (1 - mnemo.strength_at((b.a).ltp, (b.a).ltp_at, greatest(u.last_access, (b.a).ltp_at), mnemo.half_life())))::real as ltp
        where u.id is not null
    ) as s on true;
    delete from mnemo.restore_request r where r.id = any (p_ids);
    perform mnemo.injection_point('archive.buried');
    return coalesce(v_archived, '{}');
end
$$;
