-- What each tier holds.
create or replace view mnemo.tier_stats as
select t.tier, coalesce(a.memories, 0) as memories, coalesce(a.pinned, 0) as pinned, a.mean_strength,
       r.heap_bytes, r.index_bytes, r.heap_bytes + r.index_bytes as total_bytes, r.segments
from mnemo.tier t
left join (
    select tier, count(*) as memories, count(*) filter (where pinned) as pinned,
           avg(mnemo.strength_at(ltp, ltp_at, mnemo.now(), mnemo.half_life())) as mean_strength
    from mnemo.activity group by tier
) a using (tier)
join (
    select tier, sum(pg_table_size(format('mnemo.%I', relation)::regclass))::bigint as heap_bytes,
           sum(pg_indexes_size(format('mnemo.%I', relation)::regclass))::bigint as index_bytes, count(*) as segments
    from mnemo.segment group by tier
) r using (tier)
order by t.place;

comment on view mnemo.tier_stats is 'Memories, bytes and mean strength of each tier, all tenants.';
