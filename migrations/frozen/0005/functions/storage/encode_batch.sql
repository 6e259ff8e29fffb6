-- The hypervectors of those drafts of a batch that have none. Each memory of a context counts with those before it in its
-- session: in the batch in order of time, then of arrival, and before the batch's first one there what is stored.
create or replace function mnemo.encode_batch(p_drafts mnemo.draft[]) returns table (ordinal integer, hdv bit varying)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection;
    v_draft      record;
    v_before     integer[];
begin
    for v_collection in
        select c.* from mnemo.collection c
        where exists (select from unnest(p_drafts) as d where d.collection = c.name and d.hdv is null)
    loop
        v_before := array(select b.share::integer from jsonb_array_elements_text(v_collection.encoding -> 'before') with ordinality as b (share, place)
                          order by b.place);
        for v_draft in
            with draft as materialized (
                select d.ordinal, d.content, d.embedding, d.context, d.session, d.key, d.attributes, d.hdv is null as wanted,
                       coalesce(d.occurred_at, mnemo.now()) as occurred_at
                from unnest(p_drafts) as d
                where d.collection = v_collection.name and not mnemo.is_sealed(d.content)
            ), first as materialized (
                select distinct on (d.context, d.session) d.context, d.session, d.key, d.occurred_at
                from draft d
                where d.context is not null and cardinality(v_before) > 0
                order by d.context, d.session, d.occurred_at, d.ordinal
            ), listed as (
                select array_agg(f.context) as contexts, array_agg(f.session) as sessions, array_agg(f.occurred_at) as moments, array_agg(f.key) as keys
                from first f
            ), line as materialized (
                select d.ordinal, d.content, d.embedding, d.context, d.session, d.occurred_at
                from draft d
                union all
                select -t.distance, t.content, t.embedding, l.contexts[t.place], l.sessions[t.place], '-infinity'
                from listed l
                cross join lateral mnemo.session_tails(v_collection.name, l.contexts, l.sessions, l.moments, l.keys,
                    coalesce((select array_agg(d.key) from draft d where d.key is not null), '{}'), cardinality(v_before)) as t
            ), neighbour as (
                select l.ordinal,
                       array_agg(l.content) over w as texts, array_agg(l.embedding) over w as embeddings
                from line l
                window w as (partition by l.context, l.session order by l.occurred_at, l.ordinal rows between 3 preceding and current row)
            )
            select d.ordinal, d.context, d.attributes, d.occurred_at,
                   case when d.context is null then array[d.content] else n.texts end as texts,
                   case when d.context is null then array[d.embedding] else n.embeddings end as embeddings
            from draft d
            join neighbour n on n.ordinal = d.ordinal
            where d.wanted
        loop
            ordinal := v_draft.ordinal;
            hdv := mnemo.bind_context(v_collection, mnemo.encode_memory(v_collection, v_draft.texts, v_draft.embeddings, v_before,
                                                                        v_draft.attributes, v_draft.occurred_at), v_draft.context);
            return next;
        end loop;
    end loop;
end
$$;
