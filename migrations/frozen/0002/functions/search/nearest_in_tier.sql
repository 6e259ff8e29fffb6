-- The p_keep memories of one tier nearest to the query: as many as match, up to p_keep.
-- A small context is compared whole. Otherwise the sketch index is asked first. Where what it hands out does not
-- match, that is a sample of how many do, and the cheaper of two ways is taken, by measured costs: the index yields
-- p_count matches in p_count / selectivity steps of 9 us; a scan compares every match for 2 us, and checks every row
-- for 0.7 us where no index finds the matches.
create or replace function mnemo.nearest_in_tier(
    p_query      bit varying,
    p_tier       text,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    p_path       jsonpath,
    p_exact      boolean,
    p_count      integer,
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set hnsw.iterative_scan = 'off'
set hnsw.ef_search = 100
as $$
declare
    c_small   constant integer := 2000;
    v_nearest mnemo.candidate[];
    v_matched bigint;
    v_sample  integer := p_count;
    v_rows    double precision;
    v_share   double precision;
    v_by_scan double precision;
begin
    if p_exact or p_context is not null then
        select s.nearest into v_nearest
        from mnemo.nearest_by_scan(p_query, p_tier, p_tenant, p_collection, p_context, p_filter, p_path,
                                   case when not p_exact then c_small end, p_keep) s;
        if v_nearest is not null then
            return v_nearest;
        end if;
    end if;

    if p_path is not null or p_context is not null then
        v_sample := 40;
    end if;
    perform set_config('hnsw.ef_search', least(v_sample, 1000)::text, true);
    if v_sample > 1000 then
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
    end if;
    select s.nearest, s.matched into v_nearest, v_matched
    from mnemo.nearest_by_sketch(p_query, p_tier, p_tenant, p_collection, p_context, p_path, v_sample, p_keep) s;
    -- A few candidates short is as good: the index also hands out dead rows, which cost nothing else until vacuum.
    if v_matched >= 0.9 * p_count then
        return v_nearest;
    end if;

    v_share := greatest(v_matched, 0.5) / v_sample;
    if p_path is null and p_context is null and 1.1 * p_count / v_share <= 1000 then
        -- All rows match, so what is missing is dead: many memories have just left. One wider look is cheaper than many.
        perform set_config('hnsw.ef_search', ceil(1.1 * p_count / v_share)::integer::text, true);
        select s.nearest, s.matched into v_nearest, v_matched
        from mnemo.nearest_by_sketch(p_query, p_tier, p_tenant, p_collection, p_context, p_path, p_count, p_keep) s;
        if v_matched >= 0.9 * p_count then
            return v_nearest;
        end if;
    end if;

    v_rows := mnemo.tier_rows(p_tier);
    v_by_scan := 2.0 * v_share * v_rows
        + case when p_path is null or p_context is not null or mnemo.filter_is_indexed(p_filter) then 0 else 0.7 * v_rows end;
    if v_by_scan > 9.0 * p_count / v_share then
        -- Re-ranking is exact, so the index may hand out candidates in relaxed order.
        perform set_config('hnsw.ef_search', least(p_count, 1000)::text, true);
        perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
        select s.nearest, s.matched into v_nearest, v_matched
        from mnemo.nearest_by_sketch(p_query, p_tier, p_tenant, p_collection, p_context, p_path, p_count, p_keep) s;
        if v_matched >= p_keep then
            return v_nearest;
        end if;
    end if;
    select s.nearest into v_nearest
    from mnemo.nearest_by_scan(p_query, p_tier, p_tenant, p_collection, p_context, p_filter, p_path, null, p_keep) s;
    return v_nearest;
end
$$;
