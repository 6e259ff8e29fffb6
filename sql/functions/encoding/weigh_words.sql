-- weigh_words(words, kinds, raw, encoding): the weights of the different words of a text, so that the sum of its word
-- hypervectors has the length 1024 whatever the text: max(1, round(1024 raw / sqrt(sum raw^2 |word|^2))), where |word|^2
-- is the sum of the squared weights of the parts of a word (mnemo.word_parts). Takes and returns them in one order.
create or replace function mnemo.weigh_words(p_words text[], p_kinds "char"[], p_raw bigint[], p_encoding jsonb) returns bigint[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_word   integer := (p_encoding ->> 'word')::integer;
    v_prefix integer := (p_encoding ->> 'prefix')::integer;
    v_length integer := (p_encoding ->> 'prefix_length')::integer;
    v_gram   integer := (p_encoding ->> 'gram')::integer;
    v_sum    numeric;
    v_norm   bigint;
begin
    select sum(
        w.raw::numeric * w.raw * (
            v_word * v_word
            + case when w.kind = 'w' and length(w.word) >= v_length then v_prefix * v_prefix else 0 end
            + v_gram * v_gram * case when w.kind = 'c' or length(w.word) >= 3 then length(w.word) else 0 end))
    into v_sum
    from unnest(p_words, p_kinds, p_raw) as w (word, kind, raw);
    v_norm := greatest(1, floor(sqrt(v_sum)));
    if v_norm::numeric * v_norm > v_sum then
        -- The root is rounded before it is cut.
        v_norm := greatest(1, v_norm - 1);
    end if;
    return array(
        select greatest(1, (2 * 1024 * w.raw + v_norm) / (2 * v_norm))
        from unnest(p_raw) with ordinality as w (raw, place)
        order by w.place);
end
$$;
