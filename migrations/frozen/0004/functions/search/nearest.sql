-- The p_keep memories of this tenant nearest to a hypervector, nearest first; ties by id. Tiers are searched hot, warm,
-- cold; the search stops after a tier when the nearest p_k are within the confidence distance of the collection, unless
-- p_exact, which compares every memory; and the archive where p_archive: by sketch, so that distances are estimates, or by
-- the hypervectors of p_fetched, rows that a client has read from there. MN001 wrong length, MN003 filter, MN004 collection. Called where plans are
-- generic (mnemo.search, mnemo.rank_text). A tier that cannot be read is left out, with a warning.
create or replace function mnemo.nearest(
    p_query      bit varying,
    p_k          integer,
    p_keep       integer,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    p_exact      boolean,
    p_archive    boolean default false,
    p_fetched    mnemo.memory[] default null
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant    text := mnemo.tenant();
    v_exact     boolean := coalesce(p_exact, false);
    v_path      jsonpath;
    v_confident integer;
    v_count     integer;
    v_tier      text;
    v_found     mnemo.candidate[];
    v_nearest   mnemo.candidate[] := '{}';
begin
    if p_query is null or length(p_query) <> {bits} then
        raise exception 'hypervector has % bits, this database stores {bits}', coalesce(length(p_query)::text, 'no')
            using errcode = 'MN001';
    end if;
    select floor(c.confidence_distance * {bits}) into v_confident from mnemo.collection c where c.name = p_collection;
    if not found then
        perform mnemo.collection(p_collection);
    end if;
    if p_filter <> '{}' then
        v_path := mnemo.filter_jsonpath(p_filter);
    end if;
    v_count := greatest(mnemo.ef_search(), 4 * p_keep);

    foreach v_tier in array array['hot', 'warm', 'cold', 'archive'] loop
        begin
            -- mnemo.memory is locked here, before any partition, as everyone does: the end of a bulk load locks it first.
            if v_tier = 'warm' then
                continue when not exists (select from mnemo.memory m where m.segment < 2 and m.segment <> 0);
            elsif v_tier = 'cold' then
                continue when not exists (select from mnemo.memory m where m.segment > 1);
            end if;
            if v_tier <> 'archive' then
                v_found := mnemo.nearest_in_tier(p_query, v_tier, v_tenant, p_collection, p_context,
                                                 coalesce(p_filter, '{}'), v_path, v_exact, v_count, p_keep);
            elsif p_fetched is not null then
                v_found := mnemo.nearest_fetched(p_query, v_tenant, p_collection, p_context, v_path, p_fetched, p_keep);
            elsif p_archive then
                v_found := mnemo.nearest_in_archive(p_query, v_tenant, p_collection, p_context, v_path, v_exact, p_keep);
            else
                continue;
            end if;
        exception when system_error or data_corrupted or index_corrupted or insufficient_privilege then
            perform mnemo.warn_unreachable(v_tier, sqlstate, sqlerrm);
            continue;
        end;
        if v_nearest = '{}' then
            v_nearest := v_found;
        else
            v_nearest := array(
                select row(n.*)::mnemo.candidate
                from unnest(v_nearest || v_found) as n
                order by n.distance, n.id
                limit p_keep);
        end if;
        exit when not v_exact and cardinality(v_nearest) >= p_k and v_nearest[p_k].distance <= v_confident;
    end loop;
    return v_nearest;
end
$$;
