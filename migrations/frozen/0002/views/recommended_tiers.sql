-- Where memories are, and where their rate of access says they should be.
create or replace view mnemo.recommended_tiers as
with band as (
    select p.tier, p.place, p.price_per_tb_month,
           case when lag(p.place) over slower is null then '-infinity' else p.accesses_per_hour end as above,
           coalesce(lead(p.accesses_per_hour) over slower, 'infinity') as up_to
    from mnemo.tier_price p
    window slower as (order by p.place desc)
), size as materialized (
    select mnemo.mean_memory_bytes() as bytes
), found as (
    select a.tier, b.tier as recommended, count(*) as memories
    from (select a.tier, mnemo.access_rate_at(a.tier_accesses, a.entered_tier_at, a.last_access, n.at) as rate
          from mnemo.activity a cross join (select mnemo.now() as at offset 0) as n) as a
    join band b on a.rate > b.above and a.rate <= b.up_to
    group by a.tier, b.tier
)
select f.tier, f.recommended, f.memories,
       mnemo.dollars(f.memories, s.bytes, h.price_per_tb_month) - mnemo.dollars(f.memories, s.bytes, t.price_per_tb_month) as monthly_saving
from found f
join band h on h.tier = f.tier
join band t on t.tier = f.recommended
cross join size s
order by h.place, t.place;

comment on view mnemo.recommended_tiers is 'Memories by the tier they are in and the one that fits their rate of access, all tenants; rows with two different tiers are those to move.';
comment on column mnemo.recommended_tiers.monthly_saving is 'Dollars a month that moving them saves; below 0: what they are worth paying more.';
