-- tokens(text): the words of a text, folded, and how often each comes. Scripts that leave no space between words give
-- the pairs of neighbouring characters instead; a symbol like an emoji is a word of its own; a word of more than 64
-- characters is cut into pieces of 64. A text of other characters only ("->") gives pairs of those; a text of
-- nothing but space gives no rows. kind: 'w' a word or a symbol, 'c' characters of a run without spaces.
create or replace function mnemo.tokens(p_text text)
returns table (word text, count integer, kind "char")
language plpgsql immutable strict parallel safe rows 50
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    v_text text := mnemo.fold(p_text);
    v_word text := mnemo.character_class('word');
    v_continuous text := mnemo.character_class('continuous');
    v_symbol text := mnemo.character_class('symbol');
begin
    if octet_length(v_text) = length(v_text) then
        v_text := regexp_replace(v_text collate "C", '[^a-z0-9]+', ' ', 'g');
        v_continuous := null;
    else
        v_text := regexp_replace(v_text collate "C", '[^' || v_word || v_continuous || v_symbol || ']+', ' ', 'g');
        v_text := regexp_replace(v_text collate "C", '[' || v_continuous || ']+|[' || v_symbol || ']', ' \& ', 'g');
    end if;
    if v_continuous is null and btrim(v_text) <> '' and v_text !~ '[^ ]{65}' then
        -- Most texts; what follows takes six times as long.
        return query
            select r.run, pg_catalog.count(*)::integer, 'w'::"char"
            from string_to_table(v_text, ' ') as r (run)
            where r.run <> ''
            group by r.run;
        return;
    end if;
    if btrim(v_text) = '' then
        v_text := regexp_replace(p_text collate "C", '[' || mnemo.character_class('space') || ']+', ' ', 'g');
        v_continuous := '^ ';
    end if;
    return query
        with run as materialized (
            select r.run collate "C" as run, r.n,
                coalesce(r.run collate "C" ~ ('^[' || v_continuous || ']'), false) as is_continuous
            from string_to_table(v_text, ' ') with ordinality as r (run, n)
            where r.run <> ''
        ), token as (
            select r.run as word, 'w'::"char" as kind
            from run as r
            where not r.is_continuous and length(r.run) <= 64
            union all
            select p.piece[1], 'w'
            from run as r, regexp_matches(r.run, '.{1,64}', 'g') as p (piece)
            where not r.is_continuous and length(r.run) > 64
            union all
            select c.letter || c.following, 'c'
            from (
                select l.letter, lead(l.letter, 1, '') over (partition by r.n order by l.n) as following, l.n
                from run as r, string_to_table(r.run, null) with ordinality as l (letter, n)
                where r.is_continuous
            ) as c
            where c.following <> '' or c.n = 1
        )
        select t.word, pg_catalog.count(*)::integer, t.kind from token as t group by t.word, t.kind;
end
$$;
