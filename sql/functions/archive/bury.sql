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
    where a.id = any (p_ids) and a.tenant = (select mnemo.tenant())
    order by a.bucket, a.id
    for update of a;
    with buried as (
        delete from mnemo.archived_memory a
        where a.id = any (p_ids) and a.tenant = (select mnemo.tenant())
        returning a
    ), used as (
        delete from mnemo.archived_access c where c.id = any (p_ids)
        returning c
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
    select array_agg(mnemo.with_uses(b.a, u.c)) into v_archived
    from buried b left join used u on (u.c).id = (b.a).id;
    delete from mnemo.restore_request r where r.id = any (p_ids);
    perform mnemo.injection_point('archive.buried');
    return coalesce(v_archived, '{}');
end
$$;
