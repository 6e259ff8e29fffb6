-- The p_keep nearest of the rows that a client has read from the archive, by exact distance: those that are archived
-- memories of this tenant yet, in this snapshot, and match.
create or replace function mnemo.nearest_fetched(
    p_query      bit varying,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_path       jsonpath,
    p_fetched    mnemo.memory[],
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_query bit({bits}) := p_query;
begin
    return array(
        select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
        from (select distinct on (a.id) (f.hdv <~> v_query)::integer as distance, a.id, a.bucket, a.segment
              from unnest(p_fetched) as f
              join mnemo.archived_memory a on a.bucket = mnemo.bucket_of(f.id) and a.id = f.id
              where a.tenant = p_tenant and a.collection = p_collection
                and (p_context is null or a.context = p_context)
                and (p_path is null or a.attributes @@ p_path)
              order by a.id, 1) as c
        order by c.distance, c.id
        limit p_keep);
end
$$;
