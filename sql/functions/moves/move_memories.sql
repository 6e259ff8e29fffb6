-- Moves memories to the open segment of a tier and returns how many moved; those there already and pinned ones
-- stay. MN005 when this tenant lacks one of the ids: then none moves. Locks in order of (bucket, id).
create or replace function mnemo.move_memories(p_ids uuid[], p_tier text, p_reason text default 'called') returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_segment integer := mnemo.segment_of_tier(p_tier);
    v_found   uuid[];
    v_unknown uuid;
begin
    -- Waits for a bulk load under way, which may rewrite the same memories, before any of them is locked.
    perform mnemo.lock_for_writing();
    v_found := array(
        -- By `any`, not by a join with the array: PostgreSQL 18.1 drops rows from such a join that others changed while it waited.
        select a.id from mnemo.activity a
        where a.id = any (p_ids) and a.tenant = (select mnemo.tenant())
        order by a.bucket, a.id
        for update of a);
    select w.id into v_unknown
    from unnest(p_ids) as w (id)
    left join unnest(v_found) as f (id) on f.id = w.id
    where f.id is null
    limit 1;
    if found then
        perform mnemo.raise_unknown_memory(v_unknown);
    end if;
    return mnemo.move_locked(
        array(select a.id
              from unnest(v_found) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
              where a.tier <> p_tier and not a.pinned),
        v_segment, null, p_reason);
end
$$;
