-- word_parts(word, kind, encoding): the symbols that a word's hypervector is the weighted sum of: 'w:' || the word; for a
-- word of at least prefix_length characters 'p:' || its beginning; for one of at least three 'g:' || each three neighbouring
-- characters, the word's edges counting as spaces. A pair of characters from a script without spaces: 'w:' || the pair and
-- 'g:' || each character.
create or replace function mnemo.word_parts(p_word text, p_kind "char", p_encoding jsonb)
returns table (symbol text, weight integer)
language sql immutable parallel safe rows 8
set search_path = pg_catalog, pg_temp
as $$
    select 'w:' || p_word, (p_encoding ->> 'word')::integer
    union all
    select 'p:' || left(p_word, (p_encoding ->> 'prefix_length')::integer), (p_encoding ->> 'prefix')::integer
    where p_kind = 'w' and length(p_word) >= (p_encoding ->> 'prefix_length')::integer and p_encoding -> 'prefix' <> '0'
    union all
    select 'g:' || substr(case p_kind when 'w' then ' ' || p_word || ' ' else p_word end, i, case p_kind when 'w' then 3 else 1 end),
           (p_encoding ->> 'gram')::integer
    from generate_series(1, length(p_word)) as i
    where (p_kind = 'c' or length(p_word) >= 3) and p_encoding -> 'gram' <> '0'
$$;
