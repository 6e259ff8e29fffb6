-- The p_keep archived memories whose sketches are nearest to that of the query; distance is the estimate
-- round(d * D / S), S the bits of a sketch. As many as match, up to p_keep. Where the filter or the context match few, and
-- with p_exact, all sketches that match are compared; else the index is asked, and all of them where it hands out too few.
create or replace function mnemo.nearest_in_archive(
    p_query      bit varying,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_path       jsonpath,
    p_exact      boolean,
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set hnsw.iterative_scan = 'relaxed_order'
set hnsw.ef_search = 100
as $$
declare
    c_small   constant bigint := 20000;
    v_nearest mnemo.candidate[];
begin
    if p_exact or p_context is not null or p_path is not null then
        v_nearest := mnemo.nearest_archived_by_scan(p_query, p_tenant, p_collection, p_context, p_path,
                                                    case when not p_exact then c_small end, p_keep);
        if v_nearest is not null then
            return v_nearest;
        end if;
    end if;
    perform set_config('hnsw.ef_search', least(greatest(2 * p_keep, mnemo.ef_search(), 250), 1000)::text, true);
    v_nearest := mnemo.nearest_archived_by_sketch(p_query, p_tenant, p_collection, p_context, p_path, p_keep);
    if cardinality(v_nearest) < p_keep then
        v_nearest := mnemo.nearest_archived_by_scan(p_query, p_tenant, p_collection, p_context, p_path, null, p_keep);
    end if;
    return v_nearest;
end
$$;
