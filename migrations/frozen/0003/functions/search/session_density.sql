-- How much that is similar to the question stands near each of some memories in its session, itself apart: the sum of
-- 0.5 ^ distance times what the similarity there is above p_floor, over distances of at most 6; in the order given.
create or replace function mnemo.session_density(
    p_similarities double precision[],
    p_sessions     integer[],
    p_places       integer[],
    p_floor        double precision
) returns double precision[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with found as materialized (
        select f.* from unnest(p_similarities, p_sessions, p_places) with ordinality as f (similarity, session, place, at)
    )
    select array_agg(d.density order by d.at)
    from (
        select t.at, coalesce(sum(power(0.5::double precision, abs(u.place - t.place)) * greatest(u.similarity - p_floor, 0)), 0) as density
        from found t
        left join found u on u.session = t.session and u.at <> t.at and abs(u.place - t.place) <= 6
        group by t.at
    ) as d
$$;
