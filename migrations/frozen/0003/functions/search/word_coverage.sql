-- How much of a question each text covers together with those at most 2 places from it in its session: the weights of the
-- words that are there over those of all, 0 to 1, in the order given. Texts as mnemo.spaced_text makes them, words as
-- mnemo.tokens; 0 where the question has no words.
create or replace function mnemo.word_coverage(
    p_texts    text[],
    p_sessions integer[],
    p_places   integer[],
    p_words    text[],
    p_kinds    "char"[],
    p_weights  integer[]
) returns double precision[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with written as materialized (
        select t.* from unnest(p_texts, p_sessions, p_places) with ordinality as t (text, session, place, at)
    ), around as materialized (
        select t.at, string_agg(u.text, '') as text
        from written t
        join written u on u.session = t.session and abs(u.place - t.place) <= 2
        group by t.at
    )
    select array_agg(c.covered / greatest((select sum(w.weight) from unnest(p_weights) as w (weight)), 1)::double precision order by c.at)
    from (
        select a.at, (
            select coalesce(sum(w.weight), 0)
            from unnest(p_words, p_kinds, p_weights) as w (word, kind, weight)
            where strpos(a.text, case w.kind when 'w' then ' ' || w.word || ' ' else w.word end) > 0
        )::double precision as covered
        from around a
    ) as c
$$;
