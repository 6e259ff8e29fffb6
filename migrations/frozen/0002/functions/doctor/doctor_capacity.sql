-- capacity: no tier holds a tenth more than its eviction policy allows, by the lower of two estimates: that of the last
-- vacuum or analyze, and that of the statistics, which knows of rows moved since.
create or replace function mnemo.doctor_capacity() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('capacity', 'warn',
        string_agg(format('tier %s holds %s memories, policy %s allows %s', c.tier, c.memories, c.name, c.allowed), '; ' order by c.tier)
            filter (where c.memories > 1.1 * c.allowed),
        format('tiers with a capacity: %s', coalesce(string_agg(c.tier, ', ' order by c.tier), 'none')),
        'see that the job consolidate runs; pinned memories cannot leave: unpin some, or allow more')
    from (
        select p.name, p.tier, least(p.capacity_rows, p.capacity_bytes / mnemo.memory_bytes()) as allowed,
               (select sum(least(greatest(r.reltuples, 0), pg_stat_get_live_tuples(r.oid)))::bigint
                from mnemo.segment s join pg_class r on r.oid = to_regclass(format('mnemo.%I', s.relation))
                where s.tier = p.tier) as memories
        from mnemo.policy p
        where p.kind = 'eviction' and p.enabled and p.collection is null
    ) as c
$$;
