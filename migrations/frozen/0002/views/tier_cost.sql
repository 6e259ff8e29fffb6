-- Each tier with its price, its target and what it costs now.
create or replace view mnemo.tier_cost as
select p.tier, c.memories, c.total_bytes, c.price_per_tb_month, c.monthly_cost, p.latency_target_ms, p.accesses_per_hour
from mnemo.monthly_cost() as c
join mnemo.tier_price p using (tier)
order by p.place;

comment on view mnemo.tier_cost is 'Memories, bytes, price, dollars a month and latency target of each tier and the archive, all tenants.';
comment on column mnemo.tier_cost.total_bytes is 'Memories times their mean size, index and all.';
comment on column mnemo.tier_cost.accesses_per_hour is 'Memories used more often belong there, unless in a faster tier.';
