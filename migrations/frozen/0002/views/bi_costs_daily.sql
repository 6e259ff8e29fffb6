-- What the tiers held and cost on each day, all tenants, for BI tools: means of the samples in mnemo.telemetry, as far
-- back as mnemo.prune_step leaves them, at the prices of today.
create or replace view mnemo.bi_costs_daily as
select d.day, h.tier, h.memories::bigint as memories, h.bytes::bigint as bytes, d.samples,
       p.price_per_tb_month::double precision as price_per_tb_month,
       mnemo.dollars(1, h.bytes::double precision, p.price_per_tb_month) as monthly_cost
from (
    select (at at time zone 'UTC')::date as day, count(*) as samples,
           avg(hot_memories) as hot_memories, avg(warm_memories) as warm_memories, avg(cold_memories) as cold_memories,
           avg(hot_bytes) as hot_bytes, avg(warm_bytes) as warm_bytes, avg(cold_bytes) as cold_bytes
    from mnemo.telemetry
    group by 1
) d
cross join lateral (
    values ('hot', d.hot_memories, d.hot_bytes), ('warm', d.warm_memories, d.warm_bytes), ('cold', d.cold_memories, d.cold_bytes)
) as h (tier, memories, bytes)
left join mnemo.tier_price p using (tier);

comment on view mnemo.bi_costs_daily is 'For BI tools: memories, bytes and cost of each tier by day, all tenants; kept for prune_after_days.';
comment on column mnemo.bi_costs_daily.day is 'The day (UTC) of the samples (mnemo.bi_days).';
comment on column mnemo.bi_costs_daily.tier is 'The tier (mnemo.bi_tiers).';
comment on column mnemo.bi_costs_daily.memories is 'Memories in it, mean of the day.';
comment on column mnemo.bi_costs_daily.bytes is 'Bytes on disk with indexes, mean of the day.';
comment on column mnemo.bi_costs_daily.samples is 'Samples that the day has.';
comment on column mnemo.bi_costs_daily.price_per_tb_month is 'Dollars a month for a TB of 1,024 GB, today''s price.';
comment on column mnemo.bi_costs_daily.monthly_cost is 'Dollars that these bytes cost in a month.';
