-- encoding(weights): the complete definition of a composite: the defaults, with the weights given in their place. Weights of
-- components are in 1/256. MN002 for an unknown name and for what is out of its bounds.
--   embedding, words            meaning and words in a memory
--   query                       the same two in a query, and what roles weigh there beside their weight in a memory
--   before, after               the 1st, 2nd and 3rd memory before and after it in its session, beside itself with 256
--   roles                       an object: the weight of each role in a memory (mnemo.role_values), 16 of them at most
--   word, prefix, gram          the parts of a word: itself, its beginning (prefix_length characters), three characters in a row
--   saturation                  k1 of BM25: how soon repeating a word in a memory stops counting
--   document_idf, query_idf     how much rare words are preferred in memories and in queries: half powers of idf
--   context_sample              memories of the context asked in that are looked at for what is common there; 0: none
create or replace function mnemo.encoding(weights jsonb default '{}') returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    c_defaults constant jsonb := '{
        "embedding": 256, "words": 320, "query": {"embedding": 256, "words": 640, "roles": 352},
        "before": [112, 80], "after": [48, 64], "roles": {"speaker": 128},
        "word": 4, "prefix": 4, "prefix_length": 4, "gram": 2,
        "saturation": 256, "document_idf": 1, "query_idf": 3, "context_sample": 128}';
    v_encoding jsonb;
    v_bad      text;
begin
    if jsonb_typeof(weights) is distinct from 'object' then
        raise exception 'an encoding must be a JSON object, not %', coalesce(jsonb_typeof(weights), 'null') using errcode = 'MN002';
    end if;
    select w.key into v_bad from jsonb_object_keys(weights) as w (key) where not c_defaults ? w.key order by w.key limit 1;
    if found then
        raise exception 'there is no weight %', quote_literal(v_bad) using errcode = 'MN002',
            hint = 'There are ' || (select string_agg(d.key, ', ' order by d.key) from jsonb_object_keys(c_defaults) as d (key)) || '.';
    end if;
    select w.key into v_bad
    from jsonb_each(weights) as w
    where jsonb_typeof(w.value) <> jsonb_typeof(c_defaults -> w.key)
       or w.key = 'query' and exists (select from jsonb_object_keys(w.value) as q (key) where not c_defaults -> 'query' ? q.key)
       or w.key in ('before', 'after') and jsonb_array_length(w.value) > 3
       or w.key = 'roles' and ((select count(*) from jsonb_object_keys(w.value)) > 16
                               -- '' stands for words; a name stands in an index with a value of 200 characters and the tenant.
                               or exists (select from jsonb_object_keys(w.value) as r (key) where r.key = '' or octet_length(r.key) > 200))
    limit 1;
    if not found then
        -- Every number of the definition, whatever it stands in.
        select n.name into v_bad
        from (
            select w.key as name, w.value from jsonb_each(weights) as w where jsonb_typeof(w.value) = 'number'
            union all
            select w.key, i.value from jsonb_each(weights) as w,
                jsonb_array_elements(case jsonb_typeof(w.value) when 'array' then w.value else '[]' end) as i (value)
            union all
            select w.key, i.value from jsonb_each(weights) as w,
                jsonb_each(case jsonb_typeof(w.value) when 'object' then w.value else '{}' end) as i
        ) as n
        where jsonb_typeof(n.value) <> 'number' or scale(n.value::numeric) > 0
           or n.value::numeric not between
                  case when n.name in ('word', 'prefix_length') then 1 else 0 end
              and case n.name when 'word' then 16 when 'prefix' then 16 when 'gram' then 16 when 'prefix_length' then 64
                              when 'document_idf' then 4 when 'query_idf' then 6 when 'context_sample' then 1000 else 4096 end
        limit 1;
    end if;
    if v_bad is not null then
        raise exception 'weight % cannot be %', quote_literal(v_bad), left((weights -> v_bad)::text, 500) using errcode = 'MN002',
            hint = 'Weights are whole numbers, written as such: of components and neighbours from 0 to 4096; three neighbours on a side at most, '
                   '16 roles with names of 1 to 200 bytes.';
    end if;
    v_encoding := c_defaults || weights;
    v_encoding := v_encoding || jsonb_build_object('query', (c_defaults -> 'query') || coalesce(weights -> 'query', '{}'));
    if (v_encoding ->> 'words')::integer = 0 or (v_encoding -> 'query' ->> 'words')::integer = 0 then
        -- Without an embedding nothing would be left of a memory, or of a query.
        raise exception 'weight ''words'' cannot be 0' using errcode = 'MN002';
    end if;
    return v_encoding;
end
$$;
