-- Those of some memories that can be encoded with what came after them, in the order given, and the bytes of their texts:
-- encoded at their writing, in a context, in a composite collection whose memories after count, and without a pending
-- hypervector made of what they are now. Of every tenant.
create or replace function mnemo.encodable(p_ids uuid[]) returns table (id uuid, bytes integer)
language sql stable
rows 500
set search_path = pg_catalog, pg_temp
as $$
    select m.id, m.bytes
    from unnest(p_ids) with ordinality as w (id, place)
    -- Looked up one by one: a plan that reads all memories must never win.
    cross join lateral (
        select o.id, o.bucket, o.segment, o.ctid as place, o.xmin as writer, o.encoded, o.context, o.collection, octet_length(o.content) as bytes
        from mnemo.activity a
        join mnemo.memory o on o.segment = a.segment and o.bucket = a.bucket and o.id = a.id
        where a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        offset 0
    ) as m
    where m.encoded = 'w' and m.context is not null
      and m.collection in (
          select c.name from mnemo.collection c
          where c.encoder = 'composite' and c.encoding -> 'after' @? '$[*] ? (@ > 0)')
      and not exists (
          select from mnemo.pending_hypervector p
          where p.id = m.id and p.bucket = m.bucket and p.segment = m.segment and p.place = m.place and p.writer = m.writer)
    order by w.place
$$;
