-- How many of a sample of a context's memories hold each of some words, in the order given; memories: the size of the
-- sample, at most p_most. What everyone says in a conversation tells nothing apart there, however rare it is elsewhere.
-- Words are those of mnemo.tokens, with their kinds. Folds each text and looks for the words: 20 us a memory.
create or replace function mnemo.context_counts(
    p_collection text,
    p_context    text,
    p_words      text[],
    p_kinds      "char"[],
    p_most       integer,
    out memories bigint,
    out counts   bigint[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- Along the index of contexts, and no further than the sample.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    v_texts text[];
begin
    v_texts := array(
        select mnemo.spaced_text(left(m.content, 2000))
        from mnemo.memory m
        where m.tenant = (select mnemo.tenant()) and m.collection = p_collection and m.context = p_context and not mnemo.is_sealed(m.content)
        limit p_most);
    memories := cardinality(v_texts);
    counts := array(
        select (select count(*) from unnest(v_texts) as t (text) where strpos(t.text, case when w.kind = 'w' then ' ' || w.word || ' ' else w.word end) > 0)
        from unnest(p_words, p_kinds) with ordinality as w (word, kind, place)
        order by w.place);
end
$$;
