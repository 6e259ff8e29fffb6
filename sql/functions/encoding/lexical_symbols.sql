-- lexical_symbols(text): what the lexical encoder bundles, and the weight of each. A word w gives 'w:' || w; its parts
-- are 'g:' || three neighbouring characters, the word's edges counting as spaces, or 'g:' || one character in scripts
-- without spaces. With isqrt the integer square root and n the number of occurrences, a part weighs isqrt(4 n), a word
-- min(bytes of w, 3) isqrt(4 n): repetition is damped, long words weigh more by their parts. Where the sum is even
-- 't:' || the first word in byte order adds 1, so that no component is ever tied. No rows for a text without tokens.
create or replace function mnemo.lexical_symbols(p_text text)
returns table (symbol text, weight bigint)
language sql immutable strict parallel safe rows 200
set search_path = pg_catalog, pg_temp
as $$
    with token as materialized (
        select t.word, t.count, t.kind from mnemo.tokens(p_text) as t
    ), part as (
        select substr(' ' || t.word || ' ', i, 3) as part, t.count
        from token as t, generate_series(1, length(t.word)) as i
        where t.kind = 'w' and length(t.word) >= 3
        union all
        select l.letter, t.count
        from token as t, string_to_table(t.word, null) as l (letter)
        where t.kind = 'c'
    ), weighted as materialized (
        select 'w:' || t.word as symbol, least(octet_length(t.word), 3) * floor(sqrt(4.0::float8 * t.count))::bigint as weight
        from token as t
        union all
        select 'g:' || p.part, floor(sqrt(4.0::float8 * sum(p.count)))::bigint
        from part as p
        group by p.part
    )
    select w.symbol, w.weight from weighted as w
    union all
    select 't:' || (select min(t.word collate "C") from token as t), 1
    where (select sum(w.weight) from weighted as w) % 2 = 0
$$;
