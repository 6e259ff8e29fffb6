-- Changes the price list for one tier, or for the archive; what is null stays. MN007 for an unknown tier. MN002 for a
-- number below 0 or not finite, latencies that do not rise from tier to tier, rates that do not fall; the archive takes
-- what no tier wants, so its rate stays 0.
create or replace function mnemo.set_tier_price(
    tier               text,
    price_per_tb_month double precision default null,
    latency_target_ms  double precision default null,
    accesses_per_hour  double precision default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong record;
begin
    -- Two that change different rows must see each other: the order between tiers is checked below.
    lock table mnemo.tier_price in share row exclusive mode;
    if not exists (select from mnemo.tier_price t where t.tier = set_tier_price.tier) then
        raise exception 'unknown tier %', coalesce(quote_literal(tier), 'null') using errcode = 'MN007';
    end if;
    select * into v_wrong
    from (values ('price_per_tb_month', price_per_tb_month, 0, 999999),
                 ('latency_target_ms', latency_target_ms, 1e-6, 1e9),
                 ('accesses_per_hour', accesses_per_hour, 0, 1e9)) as g (name, value, lowest, highest)
    where g.value not between g.lowest and g.highest
    limit 1;
    if found then
        raise exception '% must be a number from % to %, not %', v_wrong.name, v_wrong.lowest, v_wrong.highest, v_wrong.value
            using errcode = 'MN002';
    end if;
    update mnemo.tier_price t
    set price_per_tb_month = coalesce(set_tier_price.price_per_tb_month::numeric, t.price_per_tb_month),
        latency_target_ms  = coalesce(set_tier_price.latency_target_ms, t.latency_target_ms),
        accesses_per_hour  = coalesce(set_tier_price.accesses_per_hour, t.accesses_per_hour)
    where t.tier = set_tier_price.tier;
    select f.tier as fast, s.tier as slow, f.latency_target_ms >= s.latency_target_ms as by_latency into v_wrong
    from mnemo.tier_price f join mnemo.tier_price s on s.place > f.place
    where f.latency_target_ms >= s.latency_target_ms or f.accesses_per_hour <= s.accesses_per_hour
    limit 1;
    if found then
        raise exception '% of % must be % that of %', case when v_wrong.by_latency then 'latency_target_ms' else 'accesses_per_hour' end,
            v_wrong.fast, case when v_wrong.by_latency then 'below' else 'above' end, v_wrong.slow using errcode = 'MN002';
    elsif (select t.accesses_per_hour from mnemo.tier_price t order by t.place desc limit 1) <> 0 then
        raise exception 'accesses_per_hour of % must be 0, not %: it takes what no other tier wants', tier, accesses_per_hour
            using errcode = 'MN002';
    end if;
end
$$;
