-- explain(query, id, embedding, roles, collection, context): why a memory is near to a question, or is not. A hypervector is
-- the signs of a weighted sum, so that the cosine of two such sums is known by their weights: it is the sum of what each
-- thing that both have adds to it, and the signs agree in about 1 - acos(cosine) / pi of the components. Rows:
--   part     'word', 'prefix and characters' (of words), 'meaning' (the embedding), 'role'; below them 'estimated', their
--            sum, 'measured', by the hypervectors themselves, and 'note', in name, for whatever could not be said
--   member   in which memory it is: 0 itself, -1, -2 those before it in its session, 1, 2 those after it
--   name     the word of the question, or role=value
--   cosine, share    what it adds to the estimated cosine, and as a share of that; the greatest first
--   similarity       the share of equal components, as recall gives it
-- Statistics and neighbours are those of now; at the memory's encoding they may have been others, which is one reason for
-- 'measured' to differ from 'estimated'; chance, 1 / (2 sqrt(D)), is the other. Of a hypervector that was given with its
-- memory only 'measured' is known. Give context as it was given to recall. MN005 for an id that this tenant does not have
-- (in the collection, where one is given), and the errors of mnemo.encode_query.
create or replace function mnemo.explain(
    query      text,
    id         uuid,
    embedding  real[] default null,
    roles      jsonb default '{}',
    collection text default null,
    context    text default null
) returns table (part text, member integer, name text, cosine double precision, share double precision, similarity double precision)
language plpgsql stable
rows 20
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    v_query      text := case when explain.query ~ '[^[:space:]]' then explain.query end;
    v_memory     mnemo.memory;
    v_collection mnemo.collection;
    v_encoding   jsonb;
    v_measured   double precision;
    v_notes      text[] := '{}';
    v_members    integer[];
    v_shares     integer[];
    v_texts      text[];
    v_embeddings bytea[];
begin
    select m.* into v_memory
    from mnemo.memory m
    where m.bucket = mnemo.bucket_of(explain.id) and m.id = explain.id and m.tenant = (select mnemo.tenant())
      and (explain.collection is null or m.collection = explain.collection);
    if not found then
        perform mnemo.raise_unknown_memory(explain.id);
    end if;
    v_collection := mnemo.collection(v_memory.collection);
    v_encoding := v_collection.encoding;
    v_measured := mnemo.similarity(v_memory.hdv, mnemo.encode_query(
        explain.query, v_collection.name, explain.context, explain.embedding, explain.roles));
    if mnemo.is_sealed(v_memory.content) then
        v_notes := v_notes || 'the memory is private: its words are not known here, only its hypervector'::text;
    elsif v_memory.encoded = 'g' then
        v_notes := v_notes || 'the hypervector was given with the memory: what it is made of is not known'::text;
    elsif v_collection.encoder <> 'composite' then
        v_notes := v_notes || format('encoder %s: what the similarity is made of is told of composites only', v_collection.encoder);
    elsif v_collection.bind_context and v_memory.context is distinct from explain.context then
        v_notes := v_notes || 'the memory is bound with another context than was asked in: they are alike by chance only'::text;
    else
        if explain.embedding is not null and v_memory.embedding is null and not v_collection.keep_embedding then
            v_notes := v_notes || 'the collection keeps no embeddings: what meaning adds is not in the estimate'::text;
        end if;
        -- Those around it as at its encoding: what came before, and after a consolidation both sides.
        with share as (
            select 0 as distance, 256 as share
            union all
            select -b.place::integer, b.share::integer
            from jsonb_array_elements_text(v_encoding -> 'before') with ordinality as b (share, place)
            union all
            select a.place::integer, a.share::integer
            from jsonb_array_elements_text(v_encoding -> 'after') with ordinality as a (share, place)
            where v_memory.encoded = 'c'
        ), placed as (
            select n.id, n.bucket, n.segment, row_number() over (order by n.occurred_at, n.id) as place
            from mnemo.neighbours(v_memory.tenant, v_memory.collection, v_memory.context, v_memory.session, v_memory.occurred_at) as n
        ), line as (
            select 0 as distance, v_memory.content as content, v_memory.embedding as embedding
            union all
            select p.place - o.place, m.content, m.embedding
            from placed o
            join placed p on p.place between o.place - 3 and o.place + 3 and p.place <> o.place
            join mnemo.memory m on m.segment = p.segment and m.bucket = p.bucket and m.id = p.id
            where o.id = v_memory.id
        )
        select array_agg(s.distance), array_agg(s.share), array_agg(l.content), array_agg(l.embedding)
        into v_members, v_shares, v_texts, v_embeddings
        from line l
        join share s on s.distance = l.distance and s.share > 0;
    end if;

    return query
    with around as materialized (
        select * from unnest(v_members, v_shares, v_texts, v_embeddings) as a (member, share, text, embedding)
    ), asked_role as materialized (
        select r.role, r.value from mnemo.query_roles(v_query, v_collection, coalesce(explain.roles, '{}')) as r where v_members is not null
    ), asked as materialized (
        select '' as role, w.word as name, p.symbol, (w.weight * p.weight * (v_encoding -> 'query' ->> 'words')::bigint)::double precision as weight
        from mnemo.query_words(v_query, v_collection, explain.context) as w
        cross join lateral mnemo.word_parts(w.word, w.kind, v_encoding) as p
        where v_query is not null and v_members is not null
        union all
        select w.role, w.role || '=' || v.value, p.symbol, (w.weight * p.weight)::double precision
        from (select array_agg(r.role) as roles, array_agg(r.value) as values from asked_role r) as l
        cross join lateral mnemo.role_words(l.roles, l.values, v_encoding, (v_encoding -> 'query' ->> 'roles')::integer) as w
        cross join lateral (
            select min(r.value) as value from asked_role r
            where r.role = w.role and exists (select from mnemo.tokens(r.value) as t where t.word = w.word)
        ) as v
        cross join lateral mnemo.word_parts(w.word, w.kind, v_encoding) as p
    ), held as materialized (
        select a.member, '' as role, p.symbol, (w.weight * p.weight * a.share * (v_encoding ->> 'words')::bigint)::double precision as weight
        from around a
        cross join lateral mnemo.text_words(a.text, v_collection) as w
        cross join lateral mnemo.word_parts(w.word, w.kind, v_encoding) as p
        union all
        select 0, w.role, p.symbol, (w.weight * p.weight * 256)::double precision
        from (
            select array_agg(r.role) as roles, array_agg(r.value) as values
            from mnemo.role_values(v_encoding -> 'roles', v_memory.content, v_memory.attributes, v_memory.occurred_at) as r
            where v_members is not null
        ) as l
        cross join lateral mnemo.role_words(l.roles, l.values, v_encoding, 256) as w
        cross join lateral mnemo.word_parts(w.word, w.kind, v_encoding) as p
    ), asked_meaning as materialized (
        select c.place, (c.component * (v_encoding -> 'query' ->> 'embedding')::bigint)::double precision as weight
        from unnest(mnemo.weigh_embedding(mnemo.quantise(explain.embedding))) with ordinality as c (component, place)
    ), held_meaning as materialized (
        select a.member, c.place, (c.component * a.share * (v_encoding ->> 'embedding')::bigint)::double precision as weight
        from around a
        cross join lateral unnest(mnemo.weigh_embedding(a.embedding)) with ordinality as c (component, place)
    ), length as (
        select sqrt((select coalesce(sum(s.weight * s.weight), 0) from (select sum(q.weight) as weight from asked q group by q.role, q.symbol) as s)
                    + (select coalesce(sum(q.weight * q.weight), 0) from asked_meaning q))
             * sqrt((select coalesce(sum(s.weight * s.weight), 0) from (select sum(h.weight) as weight from held h group by h.role, h.symbol) as s)
                    + (select coalesce(sum(s.weight * s.weight), 0)
                       from (select sum(h.weight) as weight from held_meaning h group by h.place) as s)) as both
    ), product as (
        select case when q.role <> '' then 'role' when q.symbol like 'w:%' then 'word' else 'prefix and characters' end as part,
               h.member, q.name, sum(q.weight * h.weight) as product
        from asked q
        join held h on h.role = q.role and h.symbol = q.symbol
        group by 1, 2, 3
        union all
        select 'meaning', h.member, null, sum(q.weight * h.weight)
        from asked_meaning q
        join held_meaning h on h.place = q.place
        group by h.member
    ), contribution as materialized (
        select p.part, p.member, p.name, p.product / l.both as cosine from product p, length l where l.both > 0 and p.product <> 0
    ), total as (
        select greatest(-1, least(1, coalesce(sum(c.cosine), 0))) as cosine from contribution c
    )
    select r.part, r.member, r.name, r.cosine, r.share, r.similarity
    from (
        select 1 as place, c.part, c.member, c.name, c.cosine, c.cosine / nullif(t.cosine, 0) as share, null::double precision as similarity
        from contribution c, total t
        union all
        select 2, 'estimated', null, null, t.cosine, 1, 1 - acos(t.cosine) / pi() from total t where v_members is not null
        union all
        select 3, 'measured', null, null, cos(pi() * (1 - v_measured)), null, v_measured
        union all
        select 4, 'note', null, n.note, null, null, null from unnest(v_notes) as n (note)
    ) as r
    order by r.place, r.cosine desc, r.part, r.member desc, r.name;
end
$$;
