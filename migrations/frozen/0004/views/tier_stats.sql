-- What each tier holds, what that costs, what it answered, and whether it is as full and as fast as it should be.
create or replace view mnemo.tier_stats as
select t.tier, coalesce(a.memories, 0) as memories, coalesce(a.pinned, 0) as pinned, a.mean_strength,
       coalesce(r.heap_bytes, 0) as heap_bytes, coalesce(r.index_bytes, 0) as index_bytes,
       coalesce(r.heap_bytes + r.index_bytes, 0) as total_bytes, coalesce(r.segments, 0) as segments,
       c.capacity_rows, c.capacity_bytes, u.capacity_used, p.latency_target_ms, l.latency_ms,
       p.price_per_tb_month::double precision as price_per_tb_month,
       mnemo.dollars(coalesce(a.memories, 0), m.bytes, p.price_per_tb_month) as monthly_cost,
       coalesce(d.accesses, 0) as accesses, coalesce(d.today, 0) as accesses_today, coalesce(a.due_now, 0) as due_now,
       case
           when coalesce(u.capacity_used, l.latency_ms) is not null
               then coalesce(u.capacity_used <= 1, true) and coalesce(l.latency_ms <= p.latency_target_ms, true)
       end as target_reached
from mnemo.tier t
left join (
    select c.tier, sum(c.memories)::bigint as memories, sum(c.pinned)::bigint as pinned,
           sum(c.strength) / sum(c.memories)::double precision as mean_strength, sum(c.due_now)::bigint as due_now,
           -- A general policy counts only the collections that have none of their own.
           sum(c.memories) filter (where not exists (
               select from mnemo.policy o
               where o.kind = 'eviction' and o.enabled and o.tier = c.tier and o.collection = c.collection)) as general
    from (
        select tier, collection, count(*) as memories, count(*) filter (where pinned) as pinned,
               sum(mnemo.strength_at(ltp, ltp_at, t.now, t.half_life)) as strength, count(*) filter (where due_at <= t.now) as due_now
        from mnemo.activity
        -- Asked once and not for each row, which offset is for.
        cross join (select mnemo.now() as now, mnemo.half_life() as half_life offset 0) as t
        group by tier, collection
        union all
        select 'archive', collection, count(*), 0, sum(mnemo.strength_at(ltp, ltp_at, t.now, t.half_life)), 0
        from mnemo.archived_memory
        cross join (select mnemo.now() as now, mnemo.half_life() as half_life offset 0) as t
        group by collection
    ) c
    group by c.tier
) a using (tier)
left join (
    select tier, sum(pg_table_size(to_regclass(format('mnemo.%I', relation))))::bigint as heap_bytes,
           sum(pg_indexes_size(to_regclass(format('mnemo.%I', relation))))::bigint as index_bytes, count(*) as segments
    from mnemo.segment group by tier
) r using (tier)
left join mnemo.tier_price p using (tier)
left join (
    select tier, capacity_rows, capacity_bytes from mnemo.policy where kind = 'eviction' and enabled and collection is null
) c using (tier)
left join (
    select tier, sum(accesses)::bigint as accesses,
           sum(accesses) filter (where day = (mnemo.now() at time zone 'UTC')::date)::bigint as today
    from mnemo.access_daily group by tier
) d using (tier)
cross join (select mnemo.mean_memory_bytes() as bytes) as m
-- Nothing in the database measures it yet.
cross join (select null::double precision as latency_ms) as l
cross join lateral (
    select greatest(coalesce(a.general, 0)::double precision / c.capacity_rows,
                    coalesce(a.general, 0)::double precision * mnemo.memory_bytes() / c.capacity_bytes) as capacity_used
) as u
order by t.place;

comment on view mnemo.tier_stats is 'What each tier holds, costs and answers, all tenants.';
comment on column mnemo.tier_stats.tier is 'hot, warm, cold or archive.';
comment on column mnemo.tier_stats.memories is 'Memories in it.';
comment on column mnemo.tier_stats.pinned is 'Of them, those that stay.';
comment on column mnemo.tier_stats.mean_strength is 'Mean of their strength now, 0 to 1; null: none.';
comment on column mnemo.tier_stats.heap_bytes is 'Bytes of its tables; of the archive what stays in the database, its objects are in mnemo.segments.';
comment on column mnemo.tier_stats.index_bytes is 'Bytes of their indexes.';
comment on column mnemo.tier_stats.total_bytes is 'Both together.';
comment on column mnemo.tier_stats.segments is 'Partitions that it consists of.';
comment on column mnemo.tier_stats.capacity_rows is 'Memories that the general eviction policy lets it hold; null: any number.';
comment on column mnemo.tier_stats.capacity_bytes is 'Bytes that it lets it hold, mnemo.memory_bytes() a memory; null: any number.';
comment on column mnemo.tier_stats.capacity_used is 'Share of the tighter of the two that is used, above 1: evictions are due; null: no capacity is set.';
comment on column mnemo.tier_stats.latency_target_ms is 'How long a recall from it should take (mnemo.tier_price).';
comment on column mnemo.tier_stats.latency_ms is 'How long one takes, where that is measured; else null.';
comment on column mnemo.tier_stats.price_per_tb_month is 'Dollars (mnemo.tier_price).';
comment on column mnemo.tier_stats.monthly_cost is 'Dollars for its memories, as mnemo.monthly_cost counts them.';
comment on column mnemo.tier_stats.accesses is 'Accesses counted so far of memories that were in it.';
comment on column mnemo.tier_stats.accesses_today is 'Those counted today (UTC).';
comment on column mnemo.tier_stats.due_now is 'Memories that consolidation looks at next: at or past their due_at.';
comment on column mnemo.tier_stats.target_reached is 'Within its capacity, and as fast as its target, as far as either is known; null: neither is.';
