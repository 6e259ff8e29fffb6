-- What mnemo.term_counts tells of some words once a batch is noted: p_memories memories, of which p_holding hold each of
-- p_terms. For clients that encode a batch before they write it, as mnemo.encode_batch would.
create or replace function mnemo.batch_counts(
    p_collection text,
    p_memories   bigint,
    p_terms      text[],
    p_holding    bigint[],
    out memories bigint,
    out counts   bigint[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known record := mnemo.term_counts(p_collection, p_terms);
begin
    memories := v_known.memories;
    counts := v_known.counts;
    -- As in mnemo.term_counts: what is not added up yet counts while the collection is young.
    if coalesce((select c.memories from mnemo.corpus c where c.tenant = (select mnemo.tenant()) and c.collection = p_collection), 0) < 2000 then
        memories := memories + p_memories;
        counts := array(
            select w.holding + w.added from unnest(counts, p_holding) with ordinality as w (holding, added, place) order by w.place);
    end if;
end
$$;
