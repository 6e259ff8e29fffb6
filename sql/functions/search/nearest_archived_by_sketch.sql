-- The p_keep archived memories that the sketch indexes hand out first, with estimated distances, nearest first. Fewer where
-- fewer match, or where an index gave up. The plan is generic and made once a session, over all archived segments.
create or replace function mnemo.nearest_archived_by_sketch(
    p_query      bit varying,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_path       jsonpath,
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
    v_sketch bit({archive_bits}) := substring(p_query from 1 for {archive_bits});
begin
    return array(
        select row(round(c.distance * ({bits}::double precision / {archive_bits})), c.id, c.bucket, c.segment)::mnemo.candidate
        from (select a.sketch <~> v_sketch as distance, a.id, a.bucket, a.segment
              from mnemo.archived_memory a
              where a.tenant = p_tenant and a.collection = p_collection
                and (p_context is null or a.context = p_context)
                and (p_path is null or a.attributes @@ p_path)
              order by a.sketch <~> v_sketch
              limit p_keep) as c
        order by c.distance, c.id);
end
$$;
