-- encode_memory(collection, texts, embeddings, before, attributes, occurred_at): the hypervector of the last of some memories
-- in a row, those before it counting by the shares given, nearest first; lexical collections look at none but itself, and
-- take its embedding in place of its words.
create or replace function mnemo.encode_memory(
    p_collection  mnemo.collection,
    p_texts       text[],
    p_embeddings  bytea[],
    p_before      integer[],
    p_attributes  jsonb,
    p_occurred_at timestamptz
) returns bit varying
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_last       integer := cardinality(p_texts);
    v_texts      text[];
    v_embeddings bytea[];
    v_shares     integer[];
    v_roles      text[];
    v_values     text[];
begin
    if p_collection.encoder = 'lexical' then
        return mnemo.encode_lexical(p_texts[v_last]);
    end if;
    select array_agg(p_texts[v_last - m.distance] order by m.distance), array_agg(p_embeddings[v_last - m.distance] order by m.distance),
           array_agg(m.share order by m.distance)
    into v_texts, v_embeddings, v_shares
    from (
        select 0 as distance, 256 as share
        union all
        select b.place, b.share from unnest(p_before) with ordinality as b (share, place) where b.place < v_last and b.share > 0
    ) as m;
    if p_collection.encoding -> 'roles' <> '{}' then
        select array_agg(r.role), array_agg(r.value) into v_roles, v_values
        from mnemo.role_values(p_collection.encoding -> 'roles', p_texts[v_last], coalesce(p_attributes, '{}'), p_occurred_at) as r;
    end if;
    return mnemo.encode_members(p_collection, v_texts, v_embeddings, v_shares, v_roles, v_values);
end
$$;
