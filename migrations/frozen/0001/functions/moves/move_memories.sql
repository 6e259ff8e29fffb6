-- Moves memories to the open segment of a tier and returns how many moved; those there already and pinned ones
-- stay. MN005 when this tenant lacks one of the ids: then none moves.
-- Invariant kept: in every snapshot a memory is in exactly one segment, the one its activity row names. The
-- activity row is locked first, so no concurrent change of the memory is lost. Locks in order of (bucket, id).
create or replace function mnemo.move_memories(p_ids uuid[], p_tier text) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_segment integer := mnemo.segment_of_tier(p_tier);
    v_found   uuid[];
    v_moved   integer;
    v_unknown uuid;
begin
    -- Waits for a bulk load under way, which may rewrite the same memories, before any of them is locked.
    perform mnemo.lock_for_writing();
    v_found := array(
        select a.id from mnemo.activity a
        join (select distinct u.id from unnest(p_ids) as u (id)) as w on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        where a.tenant = mnemo.tenant()
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

    update mnemo.memory m
    set segment = v_segment
    from unnest(v_found) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    where a.tier <> p_tier and not a.pinned
      and m.segment = a.segment and m.bucket = a.bucket and m.id = a.id;

    update mnemo.activity a
    set segment = v_segment, tier = p_tier, entered_tier_at = v_now, leaves_tier_at = l.at, due_at = l.at
    from unnest(v_found) as w (id)
    join mnemo.activity b on b.bucket = mnemo.bucket_of(w.id) and b.id = w.id
    join mnemo.tier t on t.tier = p_tier
    cross join lateral (
        select mnemo.leaves_tier_at(mnemo.strength_at(b.ltp, b.ltp_at, v_now, v_half_life), v_now, t.leaves_below, v_half_life) as at
    ) as l
    where a.bucket = b.bucket and a.id = b.id and b.tier <> p_tier and not b.pinned;
    get diagnostics v_moved = row_count;
    return v_moved;
end
$$;
