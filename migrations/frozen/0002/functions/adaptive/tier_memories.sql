-- How many memories a tier holds: exact up to p_exact, above that from the size of its partitions and the density that
-- vacuum or analyze last saw there. So it takes no longer, however many there are.
create or replace function mnemo.tier_memories(p_tier text, p_exact bigint default 10000) returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_counted bigint;
begin
    select count(*) into v_counted from (select from mnemo.activity a where a.tier = p_tier limit p_exact + 1) as a;
    if v_counted <= p_exact then
        return v_counted;
    end if;
    return greatest(v_counted, (
        select sum(case when c.reltuples > 0 and c.relpages > 0
                        then c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::bigint)
                        else pg_relation_size(c.oid) / ({toast_tuple_target} + 4.0) end)::bigint
        from mnemo.segment s join pg_class c on c.oid = to_regclass(format('mnemo.%I', s.relation))
        where s.tier = p_tier));
end
$$;
