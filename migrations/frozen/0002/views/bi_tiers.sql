-- The tiers as a dimension, and the archive, with what is asked of them and what they cost.
create or replace view mnemo.bi_tiers as
select p.tier, p.place::integer as place, t.leaves_below as strength_threshold, e.capacity_rows, e.capacity_bytes,
       p.latency_target_ms, p.price_per_tb_month::double precision as price_per_tb_month
from mnemo.tier_price p
left join mnemo.tier t using (tier)
left join (
    select tier, capacity_rows, capacity_bytes from mnemo.policy where kind = 'eviction' and enabled and collection is null
) e using (tier);

comment on view mnemo.bi_tiers is 'For BI tools: the places that memories can be in.';
comment on column mnemo.bi_tiers.tier is 'hot, warm, cold, or archive.';
comment on column mnemo.bi_tiers.place is '0 for the fastest.';
comment on column mnemo.bi_tiers.strength_threshold is 'Strength below which a memory leaves it by decay; null: never.';
comment on column mnemo.bi_tiers.capacity_rows is 'Memories that the general eviction policy lets it hold; null: any number.';
comment on column mnemo.bi_tiers.capacity_bytes is 'Bytes that it lets it hold; null: any number.';
comment on column mnemo.bi_tiers.latency_target_ms is 'How long a recall from it should take.';
comment on column mnemo.bi_tiers.price_per_tb_month is 'Dollars a month for a TB of 1,024 GB.';
