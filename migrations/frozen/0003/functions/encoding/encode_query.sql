-- encode_query(query, collection, context, embedding, roles): the hypervector of a question, as the collection encodes
-- them: its words, weighed by the statistics of the collection and by what is common in the context; its embedding; and
-- values of roles, those given, {"speaker": "Caroline", "topic": ["music", "art"]}, and those that its text names
-- (mnemo.query_roles). Any of the three may be missing, not all. Without an embedding, in a collection that has them, a warning of SQLSTATE 01MN2 says that only words count.
-- MN002 where there is nothing to encode, or a role that the collection does not have; MN004 collection; MN006 embedding.
create or replace function mnemo.encode_query(
    query      text,
    collection text default 'memories',
    context    text default null,
    embedding  real[] default null,
    roles      jsonb default '{}'
) returns bit varying
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(encode_query.collection);
    v_encoding   jsonb := v_collection.encoding;
    v_text       bigint := (v_encoding -> 'query' ->> 'words')::bigint;
    v_meaning    bigint := (v_encoding -> 'query' ->> 'embedding')::bigint;
    v_scale      integer := (v_encoding -> 'query' ->> 'roles')::integer;
    -- What is space is said by mnemo.tokens, whatever the locale of the database says.
    v_query      text := case when encode_query.query collate "C" ~ '[!-~]' or exists (select from mnemo.tokens(encode_query.query)) then encode_query.query end;
    v_components bigint[];
    v_names      text[];
    v_values     text[];
    v_roles      text[];
    v_words      text[];
    v_kinds      "char"[];
    v_weights    bigint[];
    v_divisor    bigint := 0;
    v_name       text;
begin
    if v_collection.encoder = 'lexical' then
        if coalesce(encode_query.roles, '{}') <> '{}' then
            raise exception 'collection % has no roles', quote_literal(v_collection.name) using errcode = 'MN002';
        elsif encode_query.embedding is not null then
            return mnemo.bind_context(v_collection, mnemo.project(encode_query.embedding, v_collection.seed), encode_query.context);
        end if;
        return mnemo.bind_context(v_collection, mnemo.encode_lexical(coalesce(encode_query.query, '')), encode_query.context);
    end if;
    select array_agg(r.role), array_agg(r.value) into v_names, v_values
    from mnemo.query_roles(v_query, v_collection, coalesce(encode_query.roles, '{}')) as r;
    if encode_query.embedding is not null then
        if cardinality(encode_query.embedding) <> v_collection.dimension then
            raise exception 'embedding has % dimensions, collection % takes %', cardinality(encode_query.embedding),
                quote_literal(v_collection.name), v_collection.dimension using errcode = 'MN006';
        end if;
        v_components := mnemo.weigh_embedding(mnemo.quantise(encode_query.embedding));
        v_divisor := v_meaning;
    elsif v_query is null and v_names is null then
        raise exception 'the query is empty: give a text, an embedding or roles' using errcode = 'MN002';
    elsif v_collection.dimension is not null then
        raise warning 'the query has no embedding: collection % is searched by words alone', quote_literal(v_collection.name)
            using errcode = '01MN2';
    end if;
    if v_query is not null then
        v_divisor := gcd(v_divisor, v_text);
    end if;
    foreach v_name in array coalesce(v_names, '{}') loop
        v_divisor := gcd(v_divisor, (v_encoding -> 'roles' ->> v_name)::bigint * v_scale / 256);
    end loop;
    v_divisor := greatest(v_divisor, 1);

    select array_agg(w.role), array_agg(w.word), array_agg(w.kind), array_agg(w.weight) into v_roles, v_words, v_kinds, v_weights
    from (
        select '' as role, q.word, q.kind, q.weight * (v_text / v_divisor) as weight
        from mnemo.query_words(v_query, v_collection, encode_query.context) as q
        where v_query is not null
        union all
        select r.role, r.word, r.kind, r.weight / v_divisor from mnemo.role_words(v_names, v_values, v_encoding, v_scale) as r
    ) as w;
    return mnemo.bind_context(v_collection, mnemo.compose(
        v_roles, v_words, v_kinds, v_weights, v_encoding,
        array(select c.component * (v_meaning / v_divisor) from unnest(v_components) with ordinality as c (component, place) order by c.place),
        v_collection.seed), encode_query.context);
end
$$;
