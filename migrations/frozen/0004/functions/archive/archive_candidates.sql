-- The archived memories that a client should read to answer a search: rows of segments, nearest first by sketch, at most
-- `candidates`. None where the k nearest memories in the database are all within the confidence distance (unless exact), and
-- none that are surely farther than the k-th of those: four standard deviations of an estimate. Called in a transaction
-- that repeats its reads, whose next statement is mnemo.search or its kin with what was fetched. Errors: as mnemo.search.
create or replace function mnemo.archive_candidates(
    query      bit varying,
    k          integer default 10,
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}',
    exact      boolean default false,
    candidates integer default 40
) returns table (segment integer, row_number integer, memory_id uuid, distance integer)
language plpgsql stable
rows 40
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_nearest   mnemo.candidate[];
    v_found     mnemo.candidate[];
    v_confident integer;
    v_farthest  integer;
begin
    if k is null or k not between 1 and 4096 then
        raise exception 'k must be between 1 and 4096, not %', coalesce(k::text, 'null') using errcode = 'MN002';
    end if;
    if candidates is null or candidates not between 1 and 100000 then
        raise exception 'candidates must be between 1 and 100000, not %', coalesce(candidates::text, 'null') using errcode = 'MN002';
    end if;
    v_nearest := mnemo.nearest(query, k, k, archive_candidates.collection, archive_candidates.context, archive_candidates.filter,
                               archive_candidates.exact);
    if cardinality(v_nearest) >= k then
        select floor(c.confidence_distance * {bits}) into v_confident
        from mnemo.collection c where c.name = archive_candidates.collection;
        if not coalesce(archive_candidates.exact, false) and v_nearest[k].distance <= v_confident then
            return;
        end if;
        v_farthest := v_nearest[k].distance + ceil(4 * {bits} * 0.5 / sqrt({archive_bits}) * sqrt(1 - {archive_bits}::double precision / {bits}))::integer;
    end if;
    v_found := mnemo.nearest_in_archive(
        query, mnemo.tenant(), archive_candidates.collection, archive_candidates.context,
        case when archive_candidates.filter <> '{}' then mnemo.filter_jsonpath(archive_candidates.filter) end,
        coalesce(archive_candidates.exact, false), greatest(candidates, k));
    return query
    select a.segment, a.row_number, a.id, f.distance
    from unnest(v_found) as f (distance, id, bucket, segment)
    join mnemo.archived_memory a on a.segment = f.segment and a.bucket = f.bucket and a.id = f.id
    where v_farthest is null or f.distance <= v_farthest
    order by f.distance, f.id;
end
$$;
