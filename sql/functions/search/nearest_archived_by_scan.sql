-- The p_keep archived memories with the nearest sketches of all that match, with estimated distances. With p_most, null when
-- more than that match. Planned for each call: the planner sees the values.
create or replace function mnemo.nearest_archived_by_scan(
    p_query      bit varying,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_path       jsonpath,
    p_most       bigint,
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_sketch  bit({archive_bits}) := substring(p_query from 1 for {archive_bits});
    v_nearest mnemo.candidate[];
    v_matched bigint;
begin
    with match as materialized (
        select a.sketch <~> v_sketch as distance, a.id, a.bucket, a.segment
        from mnemo.archived_memory a
        where a.tenant = p_tenant and a.collection = p_collection
          and (p_context is null or a.context = p_context)
          and (p_path is null or a.attributes @@ p_path)
        limit p_most + 1
    )
    select array(select row(round(m.distance * ({bits}::double precision / {archive_bits})), m.id, m.bucket, m.segment)::mnemo.candidate
                 from match m order by m.distance, m.id limit p_keep),
           (select count(*) from match)
    into v_nearest, v_matched;
    return case when p_most is null or v_matched <= p_most then v_nearest end;
end
$$;
