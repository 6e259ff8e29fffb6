-- query_words(text, collection, context): the words of a query and their weights: a half power of idf, where a word that
-- is common in the context asked in counts as common, and one that no memory holds by half its idf: only its parts can
-- be found; see mnemo.weigh_words.
create or replace function mnemo.query_words(p_text text, p_collection mnemo.collection, p_context text)
returns table (word text, kind "char", weight bigint)
language plpgsql stable
rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
    v_encoding jsonb := p_collection.encoding;
    v_power    integer := (v_encoding ->> 'query_idf')::integer;
    v_sample   integer := (v_encoding ->> 'context_sample')::integer;
    v_words    text[];
    v_kinds    "char"[];
    v_idf      integer[];
    v_holding  bigint[];
    v_raw      bigint[];
    v_known    record;
begin
    select array_agg(t.word), array_agg(t.kind) into v_words, v_kinds from mnemo.tokens(p_text) as t;
    v_known := mnemo.term_counts(p_collection.name, v_words);
    v_holding := v_known.counts;
    v_idf := array(
        select mnemo.idf(v_known.memories, w.holding) from unnest(v_known.counts) with ordinality as w (holding, place) order by w.place);
    if p_context is not null and v_sample > 0 then
        v_known := mnemo.context_counts(p_collection.name, p_context, v_words, v_kinds, v_sample);
        v_idf := array(
            select least(w.idf, mnemo.idf(v_known.memories, w.holding))
            from unnest(v_idf, v_known.counts) with ordinality as w (idf, holding, place)
            order by w.place);
    end if;
    v_raw := array(
        select mnemo.half_power(case when w.holding = 0 then greatest(32, w.idf / 2) else w.idf end, v_power)
        from unnest(v_idf, v_holding) with ordinality as w (idf, holding, place)
        order by w.place);
    return query select * from unnest(v_words, v_kinds, mnemo.weigh_words(v_words, v_kinds, v_raw, v_encoding));
end
$$;
