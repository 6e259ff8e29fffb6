-- Moves memories, whose activity rows the caller has locked in order of (bucket, id), into a segment; records why, and
-- announces it. The caller has left out pinned ones and those that are in the tier already. Returns how many moved.
-- One that has a pending hypervector, made of just this version of it, gets it on the way.
-- Invariant kept: in every snapshot a memory is in exactly one segment, the one its activity row names. Since the
-- activity row is locked first by everyone who changes a memory, no concurrent change is lost.
create or replace function mnemo.move_locked(p_ids uuid[], p_segment integer, p_policy text, p_reason text) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_moved integer;
begin
    if p_ids = '{}' then
        return 0;
    end if;
    update mnemo.memory m
    set segment = p_segment,
        hdv = case when p.segment = m.segment and p.place = m.ctid and p.writer = m.xmin and m.encoded = 'w' then p.hdv else m.hdv end,
        encoded = case when p.segment = m.segment and p.place = m.ctid and p.writer = m.xmin and m.encoded = 'w' then 'c' else m.encoded end
    from unnest(p_ids) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    -- Looked up one by one: two kilobytes each are too much to hash.
    left join lateral (select * from mnemo.pending_hypervector h where h.bucket = a.bucket and h.id = a.id offset 0) as p on true
    where m.segment = a.segment and m.bucket = a.bucket and m.id = a.id;
    get diagnostics v_moved = row_count;
    -- Those that got another hypervector here are copied again.
    perform mnemo.queue_copies(array(select p.id from mnemo.pending_hypervector p where p.id = any (p_ids)));
    delete from mnemo.pending_hypervector p where p.id = any (p_ids);
    perform mnemo.injection_point('move.memories_moved');
    if v_moved <> cardinality(p_ids) then
        raise exception 'of % memories to move only % were where their activity rows say', cardinality(p_ids), v_moved
            using errcode = 'data_corrupted', hint = 'Nothing has moved. mnemo.doctor(deep => true) tells more.';
    end if;
    perform mnemo.record_move(p_ids, p_segment, p_policy, p_reason);
    return v_moved;
end
$$;
