-- encode_members(collection, texts, embeddings, shares, roles, values): the composite of a memory and those around it, each
-- counting by its share in 1/256 (itself 256), with the values that the memory itself has in roles. An embedding may be
-- null: what has none counts by its words alone. MN002 where a text is empty or nothing but space.
create or replace function mnemo.encode_members(
    p_collection mnemo.collection,
    p_texts      text[],
    p_embeddings bytea[],
    p_shares     integer[],
    p_roles      text[],
    p_values     text[]
) returns bit
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_encoding   jsonb := p_collection.encoding;
    v_text       bigint := (v_encoding ->> 'words')::bigint;
    v_meaning    bigint := (v_encoding ->> 'embedding')::bigint;
    v_roles      text[];
    v_words      text[];
    v_kinds      "char"[];
    v_weights    bigint[];
    v_components bigint[];
    v_divisor    bigint := 0;
    v_at         integer;
    v_weight     bigint;
begin
    -- What is space is said by mnemo.tokens, whatever the locale of the database says; asked only where there may be nothing else.
    if p_texts[1] collate "C" !~ '[!-~]' and not exists (select from mnemo.tokens(p_texts[1])) then
        raise exception using errcode = 'MN002', message = 'invalid text: it is empty or nothing but space';
    end if;
    -- What divides every weight changes no sign, and a bundle takes time for each of their bits.
    for v_at in 1 .. cardinality(p_texts) loop
        v_divisor := gcd(gcd(v_divisor, v_text * p_shares[v_at]),
                         case when p_embeddings[v_at] is not null then v_meaning * p_shares[v_at] else 0 end);
    end loop;
    for v_weight in
        select (v_encoding -> 'roles' ->> r.role)::bigint from unnest(p_roles) as r (role) where v_encoding -> 'roles' ? r.role
    loop
        v_divisor := gcd(v_divisor, 256 * v_weight);
    end loop;

    select array_agg(w.role), array_agg(w.word), array_agg(w.kind), array_agg(w.weight) into v_roles, v_words, v_kinds, v_weights
    from (
        select '' as role, t.word, t.kind, sum(t.weight * (m.share * v_text / v_divisor))::bigint as weight
        from unnest(p_texts, p_shares) as m (text, share), mnemo.text_words(m.text, p_collection) as t
        group by t.word, t.kind
        union all
        select r.role, r.word, r.kind, r.weight * 256 / v_divisor from mnemo.role_words(p_roles, p_values, v_encoding, 256) as r
    ) as w;
    v_components := array(
        select sum(w.component * (m.share * v_meaning / v_divisor))::bigint
        from unnest(p_embeddings, p_shares) as m (embedding, share)
        cross join lateral unnest(mnemo.weigh_embedding(m.embedding)) with ordinality as w (component, place)
        group by w.place
        order by w.place);
    return mnemo.compose(v_roles, v_words, v_kinds, v_weights, v_encoding, v_components, p_collection.seed);
end
$$;
