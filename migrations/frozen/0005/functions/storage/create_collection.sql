-- Creates a collection; returns false when one of that name and the same definition is there, and
-- raises MN002 when its definition differs. encoder: composite or lexical; null for whatever the collection has, composite
-- for a new one; keep_embedding: likewise, true for a new composite. encoding: the weights of a composite that are not to be the defaults
-- (mnemo.encoding); they are kept with the collection and never change, so that queries are encoded as its memories were.
-- ranking: the weights of the second stage (mnemo.ranking), with no candidates for encoder lexical unless given; no part of
-- the definition, since mnemo.alter_collection changes it. sealed: attributes whose values only their client can read, and
-- '$content' where the contents are such too; none of them can be a role, whose values are in the hypervector.
create or replace function mnemo.create_collection(
    name                text,
    dimension           integer default null,
    seed                text default 'mnemo:projection',
    bucket_rule         text default 'hypervector',
    bind_context        boolean default false,
    keep_embedding      boolean default null,
    confidence_distance double precision default 500.0 / 16384,
    encoder             text default null,
    encoding            jsonb default '{}',
    ranking             jsonb default '{}',
    sealed              text[] default '{}'
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_there    mnemo.collection;
    v_encoder  text := coalesce(create_collection.encoder,
                                (select c.encoder from mnemo.collection c where c.name = create_collection.name), 'composite');
    v_encoding jsonb := '{}';
    v_ranking  jsonb := mnemo.ranking(create_collection.ranking);
    v_sealed   text[] := array(select distinct s.name from unnest(create_collection.sealed) as s (name) order by 1);
    v_role     text;
begin
    if v_encoder = 'composite' then
        v_encoding := mnemo.encoding(create_collection.encoding);
    elsif create_collection.encoding <> '{}' then
        raise exception 'encoder % takes no weights', quote_literal(v_encoder) using errcode = 'MN002';
    end if;
    select min(s.name) into v_role from unnest(v_sealed) as s (name) where v_encoding -> 'roles' ? s.name;
    if v_role is not null then
        raise exception 'attribute % cannot be sealed: it is a role of the collection', quote_literal(v_role) using errcode = 'MN002';
    end if;
    if v_encoder = 'lexical' and not create_collection.ranking ? 'candidates' then
        v_ranking := v_ranking || '{"candidates": 0}';
    end if;
    insert into mnemo.collection
        (name, dimension, seed, bucket_rule, bind_context, keep_embedding, confidence_distance, encoder, encoding, ranking, sealed, created_at)
    values (create_collection.name, create_collection.dimension, create_collection.seed,
            create_collection.bucket_rule, create_collection.bind_context,
            coalesce(create_collection.keep_embedding, v_encoder = 'composite'),
            create_collection.confidence_distance, v_encoder, v_encoding, v_ranking, v_sealed, mnemo.now())
    on conflict (name) do nothing;
    if found then
        perform mnemo.record_audit('collection.create', create_collection.name, jsonb_build_object('encoder', v_encoder), '');
        return true;
    end if;
    v_there := mnemo.collection(create_collection.name);
    if (v_there.dimension, v_there.seed, v_there.bucket_rule, v_there.bind_context, v_there.keep_embedding,
        v_there.confidence_distance, v_there.sealed, v_there.encoder, v_there.encoding)
       is distinct from
       (coalesce(create_collection.dimension, v_there.dimension), create_collection.seed,
        create_collection.bucket_rule, create_collection.bind_context,
        coalesce(create_collection.keep_embedding, v_there.keep_embedding),
        create_collection.confidence_distance, v_sealed, v_encoder,
        -- Weights not named are whatever the collection has.
        v_there.encoding || create_collection.encoding
        || case when create_collection.encoding ? 'query' then jsonb_build_object('query', (v_there.encoding -> 'query') || (create_collection.encoding -> 'query')) else '{}' end)
    then
        raise exception 'collection % exists with another definition', quote_literal(create_collection.name)
            using errcode = 'MN002';
    end if;
    return false;
exception
    when check_violation or not_null_violation then
        raise exception 'invalid definition of collection %', coalesce(quote_literal(create_collection.name), 'null')
            using errcode = 'MN002', detail = sqlerrm;
end
$$;
