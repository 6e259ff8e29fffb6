-- Moves what a context will need soon to the hot tier, and returns how many memories moved: the k that mnemo.predict
-- names, and with a query also the k of the context nearest to it. Pinned ones stay. Arguments as for mnemo.predict and
-- mnemo.search. Locks as mnemo.move_memories does; memories forgotten meanwhile are left out.
create or replace function mnemo.prefetch(
    context text, k integer default 10, "window" interval default null, query bit varying default null
) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids uuid[] := array(select p.memory_id from mnemo.predict(prefetch.context, prefetch.k, prefetch."window") as p);
begin
    if prefetch.context is null then
        raise exception 'a prefetch needs a context' using errcode = 'MN002';
    end if;
    if prefetch.query is not null then
        v_ids := v_ids || array(
            select s.memory_id
            from mnemo.collection c
            cross join mnemo.search(prefetch.query, prefetch.k, c.name, context => prefetch.context) as s
            order by s.distance, s.memory_id
            limit prefetch.k);
    end if;
    if not exists (select from unnest(v_ids) as w (id)
                   join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
                   where a.tier <> 'hot' and not a.pinned) then
        return 0;
    end if;
    perform mnemo.lock_for_writing();
    v_ids := array(
        -- By `any`, not by a join with the array: PostgreSQL 18.1 drops rows from such a join that others changed while it waited.
        select a.id from mnemo.activity a
        where a.id = any (v_ids) and a.tenant = (select mnemo.tenant()) and a.tier <> 'hot' and not a.pinned
        order by a.bucket, a.id
        for update of a);
    -- As they are now that they are locked: somebody else may have moved or pinned them before.
    v_ids := array(
        select a.id from unnest(v_ids) as w (id)
        join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        where a.tier <> 'hot' and not a.pinned);
    return mnemo.move_locked(v_ids, mnemo.segment_of_tier('hot'), null, 'predicted');
end
$$;
