-- The p_count memories of a tier whose sketches are nearest to that of the query, found through the HNSW index,
-- as (the nearest p_keep of them by exact distance, how many were found). Fewer than p_count are found where the
-- tier or the filter matches fewer, or where the index gave up: the caller decides what to do.
-- The segments of each tier are constants, so that only its own partitions are opened, and one index is scanned where
-- it has one; the plan is generic and made once a session, which the planner left alone would spoil by scanning
-- sequentially.
create or replace function mnemo.nearest_by_sketch(
    p_query      bit varying,
    p_tier       text,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_path       jsonpath,
    p_count      integer,
    p_keep       integer,
    out nearest  mnemo.candidate[],
    out matched  integer
)
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
    v_sketch bit({sketch_bits}) := substring(p_query from 1 for {sketch_bits});
    v_query  bit({bits}) := p_query;
begin
    case p_tier
    when 'hot' then
        with candidate as materialized (
            select (m.hdv <~> v_query)::integer as distance, m.id, m.bucket, m.segment
            from mnemo.memory m
            where m.segment = 0 and m.tenant = p_tenant and m.collection = p_collection
              and (p_context is null or m.context = p_context)
              and (p_path is null or m.attributes @@ p_path)
            order by substring(m.hdv from 1 for {sketch_bits})::bit({sketch_bits}) <~> v_sketch
            limit p_count
        )
        select array(select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
                     from candidate c order by c.distance, c.id limit p_keep),
               (select count(*) from candidate)
        into nearest, matched;
    when 'warm' then
        with candidate as materialized (
            select (m.hdv <~> v_query)::integer as distance, m.id, m.bucket, m.segment
            from mnemo.memory m
            where m.segment < 2 and m.segment <> 0 and m.tenant = p_tenant and m.collection = p_collection
              and (p_context is null or m.context = p_context)
              and (p_path is null or m.attributes @@ p_path)
            order by substring(m.hdv from 1 for {sketch_bits})::bit({sketch_bits}) <~> v_sketch
            limit p_count
        )
        select array(select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
                     from candidate c order by c.distance, c.id limit p_keep),
               (select count(*) from candidate)
        into nearest, matched;
    when 'cold' then
        with candidate as materialized (
            select (m.hdv <~> v_query)::integer as distance, m.id, m.bucket, m.segment
            from mnemo.memory m
            where m.segment > 1 and m.tenant = p_tenant and m.collection = p_collection
              and (p_context is null or m.context = p_context)
              and (p_path is null or m.attributes @@ p_path)
            order by substring(m.hdv from 1 for {sketch_bits})::bit({sketch_bits}) <~> v_sketch
            limit p_count
        )
        select array(select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
                     from candidate c order by c.distance, c.id limit p_keep),
               (select count(*) from candidate)
        into nearest, matched;
    end case;
end
$$;
