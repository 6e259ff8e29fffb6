-- About how many memories a tier holds, from the size of its partitions: never stale, unlike statistics.
create or replace function mnemo.tier_rows(p_tier text) returns double precision
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(pg_relation_size(to_regclass(format('mnemo.%I', s.relation)))), 0)
           / (({toast_tuple_target} + 4.0))
    from mnemo.segment s
    where s.tier = p_tier
$$;
