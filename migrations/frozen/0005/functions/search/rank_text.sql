-- The second stage: the memories nearest to p_hdv, ranked anew by the collection's ranking (mnemo.ranking): score is the
-- similarity and the weighted terms, which score_terms names; a term whose weight is 0 is not computed. p_query and
-- p_embedding are what p_hdv was made of; both may be null. Only the nearest `candidates` (p_k at least) take part.
-- With p_learned, all of them come back, and with them those that the context's last recalls predict (mnemo.rerank), so
-- that their terms are those of the others; shared: that context, p_context or the one that the p_k nearest share. Else
-- the best p_k come back. In order of score, then of distance and id.
create or replace function mnemo.rank_text(
    p_hdv        bit varying,
    p_query      text,
    p_embedding  real[],
    p_k          integer,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    p_exact      boolean,
    p_learned    boolean,
    p_archive    boolean,
    p_fetched    mnemo.memory[],
    out hits     mnemo.hit[],
    out shared   text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    c_length       constant integer := 4000;
    -- The characters of a usual turn: one of that length is worth as much as what is no turn.
    c_usual        constant double precision := 100;
    v_tenant       text := mnemo.tenant();
    v_now          timestamptz := mnemo.now();
    v_half_life    interval := mnemo.half_life();
    v_ranking      jsonb;
    v_roles        jsonb;
    v_candidates   integer;
    v_coverage     double precision;
    v_question     double precision;
    v_length       double precision;
    v_role         double precision;
    v_density      double precision;
    v_embedding    double precision;
    v_recency      double precision;
    v_strength     double precision;
    v_importance   double precision;
    v_found        mnemo.candidate[];
    v_floor        integer;
    v_ids          uuid[];
    v_keys         text[];
    v_segments     integer[];
    v_contents     text[];
    v_said         text[];
    v_attributes   jsonb[];
    v_created      timestamptz[];
    v_contexts     text[];
    v_sessions     text[];
    v_moments      timestamptz[];
    v_embeddings   bytea[];
    v_distances    integer[];
    v_similarities double precision[];
    v_texts        text[];
    v_words        text[];
    v_kinds        "char"[];
    v_idf          integer[];
    v_place        record;
    v_named        text[];
    v_covered      double precision[];
    v_dense        double precision[];
begin
    if p_k is null or p_k not between 1 and 4096 then
        raise exception 'k must be between 1 and 4096, not %', coalesce(p_k::text, 'null') using errcode = 'MN002';
    end if;
    select c.ranking, c.encoding -> 'roles' into v_ranking, v_roles from mnemo.collection c where c.name = p_collection;
    v_candidates := coalesce((v_ranking ->> 'candidates')::integer, 0);
    v_found := mnemo.nearest(p_hdv, p_k, greatest(v_candidates, p_k), p_collection, p_context, p_filter, p_exact, p_archive,
                             p_fetched);
    v_floor := v_found[cardinality(v_found)].distance;
    shared := p_context;
    if p_learned and v_found <> '{}' then
        select r.nearest, r.shared into v_found, shared
        from mnemo.add_predicted(v_found, p_hdv, p_k, p_collection, p_context, p_filter) as r;
    end if;

    select array_agg(m.id), array_agg(m.key), array_agg(m.segment), array_agg(m.content), array_agg(m.attributes),
           array_agg(m.created_at), array_agg(m.context), array_agg(m.session), array_agg(m.occurred_at),
           array_agg(case when p_embedding is not null then m.embedding end), array_agg(f.distance)
    into v_ids, v_keys, v_segments, v_contents, v_attributes, v_created, v_contexts, v_sessions, v_moments, v_embeddings, v_distances
    from mnemo.read_candidates(v_found, p_fetched) as m
    join unnest(v_found) as f (distance, id, bucket, segment) on f.id = m.id;
    if v_ids is null then
        hits := '{}';
        return;
    end if;
    v_similarities := array(
        select 1 - d.distance::double precision / {bits} from unnest(v_distances) with ordinality as d (distance, place) order by d.place);

    if v_candidates > 0 then
        -- What a private memory says is not known here.
        v_said := array(select case when mnemo.is_sealed(c.content) then '' else c.content end
                        from unnest(v_contents) with ordinality as c (content, place) order by c.place);
        v_coverage := case when p_query is null then 0 else (v_ranking ->> 'coverage')::double precision end;
        v_question := (v_ranking ->> 'question')::double precision;
        v_length := (v_ranking ->> 'length')::double precision;
        v_role := (v_ranking ->> 'role')::double precision;
        v_density := (v_ranking ->> 'density')::double precision;
        v_embedding := case
            when p_embedding is null then 0
            -- Nothing else tells the candidates apart: the composite is near their embeddings, not equal to them.
            when p_query is null or btrim(p_query) = '' then greatest((v_ranking ->> 'embedding')::double precision, 1)
            else (v_ranking ->> 'embedding')::double precision
        end;
        v_recency := (v_ranking ->> 'recency')::double precision;
        v_strength := (v_ranking ->> 'strength')::double precision;
        v_importance := (v_ranking ->> 'importance')::double precision;
        if v_coverage <> 0 then
            v_texts := array(
                select mnemo.spaced_text(left(coalesce(c.content, ''), c_length)) from unnest(v_said) with ordinality as c (content, place)
                order by c.place);
        end if;
        if v_coverage <> 0 or v_density <> 0 then
            v_place := mnemo.session_places(p_collection, v_ids, v_contexts, v_sessions, v_moments);
        end if;
        if v_coverage <> 0 then
            select array_agg(t.word), array_agg(t.kind) into v_words, v_kinds from mnemo.tokens(p_query) as t;
            v_idf := (select array_agg(mnemo.idf(k.memories, c.holding) order by c.place)
                      from mnemo.term_counts(p_collection, v_words) as k, unnest(k.counts) with ordinality as c (holding, place));
            v_covered := mnemo.word_coverage(v_texts, v_place.sessions, v_place.places, v_words, v_kinds, v_idf);
        end if;
        if v_density <> 0 then
            v_dense := mnemo.session_density(v_similarities, v_place.sessions, v_place.places,
                                             1 - v_floor::double precision / {bits});
        end if;
        if v_role <> 0 and v_roles <> '{}' then
            v_named := array(
                select n.role || E'\n' || n.value
                from mnemo.collection c, mnemo.query_roles(p_query, c, '{}') as n
                where c.name = p_collection);
        end if;
    end if;

    hits := array(
        select row(s.id, s.key, s.tier, s.distance, s.similarity, s.score, s.content, s.attributes, s.created_at, s.terms, s.content is null)::mnemo.hit
        from (
            select t.*, mnemo.tier_of_segment(t.segment) as tier,
                   t.similarity + coalesce(t.coverage, 0) + coalesce(t.question, 0) + coalesce(t.length, 0) + coalesce(t.role, 0)
                   + coalesce(t.density, 0) + coalesce(t.embedding_term, 0) + coalesce(t.recency, 0) + coalesce(t.strength, 0)
                   + coalesce(t.importance, 0) as score,
                   jsonb_strip_nulls(jsonb_build_object(
                       'similarity', t.similarity, 'coverage', t.coverage, 'question', t.question, 'length', t.length,
                       'role', t.role, 'density', t.density, 'embedding', t.embedding_term, 'recency', t.recency,
                       'strength', t.strength, 'importance', t.importance)) as terms
            from (
                select m.id, m.key, m.segment, m.content, m.attributes, m.created_at, m.distance, m.similarity,
                       case when v_coverage <> 0 then v_coverage * v_covered[m.ordinality] end as coverage,
                       case when v_question <> 0 then
                           v_question * (m.context is not null and m.session is not null and m.said ~ '[?？؟][[:space:]]*$')::integer
                       end as question,
                       case when v_length <> 0 then v_length * case when m.context is not null and m.session is not null and m.said is distinct from '' then
                           ln(greatest(length(m.said), 1) / c_usual) else 0 end
                       end as length,
                       case when v_role <> 0 then v_role * (v_named <> '{}' and exists (
                           select from mnemo.role_values(v_roles, m.said, m.attributes, m.occurred_at) as r
                           where r.role || E'\n' || r.value = any (v_named)))::integer
                       end as role,
                       case when v_density <> 0 then v_density * v_dense[m.ordinality] end as density,
                       case when v_embedding <> 0 then v_embedding * coalesce(mnemo.embedding_cosine(m.embedding, p_embedding), 0) end as embedding_term,
                       case when v_recency <> 0 then
                           v_recency * power(0.5::double precision, least(64, greatest(extract(epoch from v_now - m.occurred_at), 0)::double precision
                                                                            / (86400 * (v_ranking ->> 'recency_days')::double precision)))
                       end as recency,
                       case when v_strength <> 0 then v_strength * coalesce((
                           select mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life)
                           from mnemo.activity a where a.bucket = mnemo.bucket_of(m.id) and a.id = m.id), 0)
                       end as strength,
                       case when v_importance <> 0 then v_importance * case jsonb_typeof(m.attributes #> '{scores,importance}')
                           when 'number' then (m.attributes #>> '{scores,importance}')::double precision else 0 end
                       end as importance
                from unnest(v_ids, v_keys, v_segments, v_contents, v_attributes, v_created, v_contexts, v_sessions, v_moments,
                            v_embeddings, v_distances, v_similarities, v_said) with ordinality
                    as m (id, key, segment, content, attributes, created_at, context, session, occurred_at,
                          embedding, distance, similarity, said, ordinality)
            ) as t
        ) as s
        order by s.score desc, s.distance, s.id
        limit case when p_learned then null else p_k end);
end
$$;
