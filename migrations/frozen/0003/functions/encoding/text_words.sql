-- text_words(text, collection): the words of a text as part of a memory, and their weights: with idf of the collection's
-- statistics and n how often the word comes, n (256 + k) 256 / (256 n + k) times a half power of idf; see mnemo.weigh_words.
create or replace function mnemo.text_words(p_text text, p_collection mnemo.collection)
returns table (word text, kind "char", weight bigint)
language plpgsql stable
rows 30
set search_path = pg_catalog, pg_temp
as $$
declare
    v_encoding jsonb := p_collection.encoding;
    v_k        bigint := (v_encoding ->> 'saturation')::bigint;
    v_power    integer := (v_encoding ->> 'document_idf')::integer;
    v_words    text[];
    v_kinds    "char"[];
    v_times    bigint[];
    v_raw      bigint[];
    v_known    record;
begin
    select array_agg(t.word), array_agg(t.kind), array_agg(t.count) into v_words, v_kinds, v_times from mnemo.tokens(p_text) as t;
    v_known := mnemo.term_counts(p_collection.name, v_words);
    v_raw := array(
        select w.times * (256 + v_k) * 256 / (256 * w.times + v_k) * mnemo.half_power(mnemo.idf(v_known.memories, w.holding), v_power)
        from unnest(v_times, v_known.counts) with ordinality as w (times, holding, place)
        order by w.place);
    return query select * from unnest(v_words, v_kinds, mnemo.weigh_words(v_words, v_kinds, v_raw, v_encoding));
end
$$;
