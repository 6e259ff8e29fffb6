-- What a search found and, after it, what the last recalls of its context predict and it did not find, so that both are
-- ranked by the same terms: memories of the context that match the filter. shared: the context, p_context or, without
-- one, that of all the p_k nearest. Predicted memories in a tier that cannot be read are left out.
create or replace function mnemo.add_predicted(
    p_found      mnemo.candidate[],
    p_query      bit varying,
    p_k          integer,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    out nearest  mnemo.candidate[],
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
    v_tenant text := mnemo.tenant();
    v_path   jsonpath;
    v_ids    uuid[];
    v_tiers  text[];
begin
    nearest := p_found;
    shared := p_context;
    if shared is null then
        select case when count(m.context) = cardinality(p_found[1 : p_k]) and min(m.context) = max(m.context) then min(m.context) end
        into shared
        from mnemo.read_candidates(p_found[1 : p_k]) as m;
    end if;
    if shared is null or mnemo.setting('prediction_weight') = 0 then
        return;
    end if;
    select array_agg(a.id), array_agg(a.tier) into v_ids, v_tiers
    from mnemo.predicted(v_tenant, shared, mnemo.now(), make_interval(secs => mnemo.setting('prediction_window_seconds')),
                         greatest(p_k, 16)) as p
    join mnemo.activity a on a.bucket = mnemo.bucket_of(p.memory_id) and a.id = p.memory_id
    where a.tenant = v_tenant and not exists (select from unnest(p_found) as f where f.id = p.memory_id);
    if v_ids is null then
        return;
    end if;
    if coalesce(p_filter, '{}') <> '{}' then
        v_path := mnemo.filter_jsonpath(p_filter);
    end if;
    nearest := p_found || array(
        select row(d.distance, m.id, m.bucket, m.segment)::mnemo.candidate
        from mnemo.read_memories(v_ids, v_tiers) as m
        cross join lateral (select mnemo.hamming(m.hdv, p_query) as distance) as d
        where m.tenant = v_tenant and m.collection = p_collection and m.context = shared and (v_path is null or m.attributes @@ v_path)
        order by d.distance, m.id);
end
$$;
