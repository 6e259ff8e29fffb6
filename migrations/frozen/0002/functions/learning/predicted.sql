-- What the recalls of a context within p_window before p_at predict, the most likely first, at most p_count.
-- A recent access of a predicts b with weight(a, b), decayed since it was learned, times 1 - age / p_window, age being
-- that of the access. Several predict together, as independent causes do: 1 - (1 - p1)(1 - p2)...
-- The ids may be of memories that are forgotten by now.
create or replace function mnemo.predicted(
    p_tenant text, p_context text, p_at timestamptz, p_window interval, p_count integer
) returns table (memory_id uuid, prediction double precision)
language sql stable
rows 16
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    -- Materialized, or it would be looked up for every row. The decay is that of mnemo.strength_at, which is not inlined.
    with half_life as materialized (
        select 86400 * mnemo.setting('association_half_life_days') as seconds
    )
    select p.b, p.prediction
    from (select l.b, 1 - exp(sum(ln(greatest(1 - l.part, 1e-12)))) as prediction
          from (select s.b,
                       f.share * s.weight
                       * power(0.5::double precision,
                               least(64, greatest(extract(epoch from p_at - s.at), 0)::double precision / h.seconds)) as part
                from half_life h
                cross join mnemo.focus o
                cross join unnest(o.memory_ids, o.seen) as u (id, seen)
                cross join lateral (
                    select 1 - greatest(extract(epoch from p_at) - extract(epoch from u.seen), 0)::double precision
                               / extract(epoch from p_window)::double precision as share
                ) as f
                join mnemo.association s on s.tenant = p_tenant and s.context = p_context and s.a = u.id
                where o.tenant = p_tenant and o.context = p_context and f.share > 0) as l
          group by l.b) as p
    where p.prediction > 0
    order by p.prediction desc, p.b
    limit p_count
$$;
