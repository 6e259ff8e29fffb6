-- Keeps a hypervector for each of some memories until it moves, instead of one kept before; returns how many. Left out are
-- those that have changed since the version named, have no need of one any more, or are being changed just now.
-- MN001 for a hypervector of another length.
-- Invariant kept: there is none of a memory that is not there, and none of a content that it had before: whoever changes
-- or forgets a memory waits for this, and takes away what is here, after the memory itself. This waits for nobody who
-- holds a memory.
create or replace function mnemo.stage_hypervectors(
    p_ids uuid[], p_segments integer[], p_places tid[], p_writers xid[], p_hdvs bit varying[]
) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_length integer;
    v_locked uuid[];
    v_staged integer;
begin
    select length(h.hdv) into v_length from unnest(p_hdvs) as h (hdv) where length(h.hdv) is distinct from {bits} limit 1;
    if found then
        raise exception 'hypervector has % bits, this database stores {bits}', coalesce(v_length::text, 'no') using errcode = 'MN001';
    end if;
    perform mnemo.lock_for_writing();
    v_locked := array(
        select m.id
        from mnemo.memory m
        where m.id = any (p_ids) and m.segment = any (p_segments) and m.encoded = 'w'
        order by m.bucket, m.id
        for share of m skip locked);
    insert into mnemo.pending_hypervector as p (made_at, segment, bucket, id, place, writer, hdv)
    select mnemo.now(), m.segment, m.bucket, m.id, m.ctid, m.xmin, w.hdv::bit({bits})
    from unnest(p_ids, p_segments, p_places, p_writers, p_hdvs) as w (id, segment, place, writer, hdv)
    join unnest(v_locked) as l (id) on l.id = w.id
    join mnemo.memory m on m.segment = w.segment and m.bucket = mnemo.bucket_of(w.id) and m.id = w.id
    where m.ctid = w.place and m.xmin = w.writer and m.encoded = 'w'
    order by m.bucket, m.id
    on conflict (id, bucket) do update
    set made_at = excluded.made_at, segment = excluded.segment, place = excluded.place, writer = excluded.writer, hdv = excluded.hdv;
    get diagnostics v_staged = row_count;
    perform mnemo.injection_point('hypervectors.staged');
    return v_staged;
end
$$;
