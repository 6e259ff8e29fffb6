-- Hits ranked by what is learned: prediction_weight * prediction and strength_weight * strength are added to the score and
-- the score_terms that they bring.
-- The context is the one asked in, else the one that all hits share; without one, or where nothing is predicted and
-- strength counts for nothing, the hits stay as they are. Predicted memories that match but were not among the k
-- nearest compete too. shared: the context, null without one.
create or replace function mnemo.rerank(
    p_hits       mnemo.hit[],
    p_query      bit varying,
    p_k          integer,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
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
    v_tenant     text := mnemo.tenant();
    v_now        timestamptz := mnemo.now();
    v_half_life  interval := mnemo.half_life();
    v_prediction double precision := mnemo.setting('prediction_weight');
    v_strength   double precision := mnemo.setting('strength_weight');
    v_path       jsonpath;
    v_ids        uuid[];
    v_values     double precision[];
    v_more       uuid[] := '{}';
    v_tiers      text[] := '{}';
begin
    hits := p_hits;
    shared := p_context;
    if shared is null then
        select case when count(m.context) = cardinality(p_hits) and min(m.context) = max(m.context) then min(m.context) end
        into shared
        from mnemo.read_memories(array(select h.memory_id from unnest(p_hits) as h), array(select h.tier from unnest(p_hits) as h)) as m;
        if shared is null then
            return;
        end if;
    end if;
    if v_prediction > 0 then
        select array_agg(p.memory_id), array_agg(p.prediction) into v_ids, v_values
        from mnemo.predicted(v_tenant, shared, v_now, make_interval(secs => mnemo.setting('prediction_window_seconds')),
                             greatest(p_k, 16)) as p;
    end if;
    if v_ids is null and v_strength = 0 then
        return;
    end if;

    select coalesce(array_agg(a.id), '{}'), coalesce(array_agg(a.tier), '{}') into v_more, v_tiers
    from unnest(v_ids) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    where a.tenant = v_tenant and not exists (select from unnest(p_hits) as h where h.memory_id = w.id);
    if coalesce(p_filter, '{}') <> '{}' then
        v_path := mnemo.filter_jsonpath(p_filter);
    end if;
    hits := array(
        select row(c.memory_id, c.key, c.tier, c.distance, c.similarity,
                   c.score + c.prediction + c.strength, c.content, c.attributes, c.created_at,
                   c.score_terms || jsonb_build_object(
                       'prediction', c.prediction,
                       'strength', c.strength + coalesce((c.score_terms ->> 'strength')::double precision, 0)), c.estimated)::mnemo.hit
        from (select f.*, v_prediction * coalesce(p.prediction, 0) as prediction,
                     case when v_strength > 0 then
                         v_strength * coalesce((select mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life)
                                                from mnemo.activity a
                                                where a.bucket = mnemo.bucket_of(f.memory_id) and a.id = f.memory_id), 0)
                         else 0
                     end as strength
              from (select h.memory_id, h.key, h.tier, h.distance, h.similarity, h.score, h.content, h.attributes, h.created_at,
                           h.score_terms, h.estimated
                    from unnest(p_hits) as h
                    union all
                    select m.id, m.key, mnemo.tier_of_segment(m.segment), d.distance, d.similarity, d.similarity,
                           m.content, m.attributes, m.created_at, jsonb_build_object('similarity', d.similarity), false
                    from mnemo.read_memories(v_more, v_tiers) as m
                    cross join lateral (select mnemo.hamming(m.hdv, p_query) as distance) as h
                    cross join lateral (select h.distance, 1 - h.distance::double precision / {bits} as similarity) as d
                    where m.tenant = v_tenant and m.collection = p_collection and m.context = shared
                      and (v_path is null or m.attributes @@ v_path)) as f
              left join unnest(v_ids, v_values) as p (id, prediction) on p.id = f.memory_id) as c
        order by c.score + c.prediction + c.strength desc, c.distance, c.memory_id
        limit p_k);
end
$$;
