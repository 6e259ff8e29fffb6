-- The distribution of memories with these rates (accesses an hour), each of so many bytes, that answers fastest of all
-- that cost at most the budget (dollars a month): the least sum of rate * latency, exactly; see mnemo.best_boundaries. A row
-- for each tier, then the total. lowest_rate: the coldest memory there. latency_ms: of a tier its target, of the total
-- the mean of an access. Memories that nobody uses go where it is cheapest.
-- MN002 for a rate, a size or a budget that is none, and for a budget too small for any distribution: it names the least.
create or replace function mnemo.best_distribution_of(rates double precision[], bytes double precision, budget double precision)
returns table (tier text, memories bigint, accesses_per_hour double precision, lowest_rate double precision,
               monthly_cost double precision, latency_ms double precision)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Prices in units of 1/10,000 dollar, which all of them are multiples of.
    c_terabyte constant numeric := 1099511627776::numeric * 10000;
    v_bytes  numeric := mnemo.check_bytes(best_distribution_of.bytes)::numeric;
    v_count  bigint := coalesce(cardinality(rates), 0);
    v_wrong  record;
    v_used   double precision[];
    v_tiers  text[];
    v_latency double precision[];
    v_price  bigint[];
    v_unit   bigint;
    v_last   integer;
    v_room   numeric;
    v_least  numeric;
    v_ends   bigint[];
begin
    if (budget >= 0 and budget <> 'nan') is not true then
        raise exception 'budget must be a number of dollars from 0, not %', coalesce(budget::text, 'null') using errcode = 'MN002';
    end if;
    select r.rate into v_wrong from unnest(rates) as r (rate) where (r.rate >= 0 and r.rate < 'infinity') is not true limit 1;
    if found then
        raise exception 'rates must be numbers from 0, not %', coalesce(v_wrong.rate::text, 'null') using errcode = 'MN002';
    end if;

    -- A tier that costs no less than a faster one is of no use.
    select array_agg(p.tier order by p.place), array_agg(p.latency_target_ms order by p.place),
           array_agg((p.price_per_tb_month * 10000)::bigint order by p.place), count(*)
    into v_tiers, v_latency, v_price, v_last
    from mnemo.tier_price p
    where not exists (select from mnemo.tier_price f where f.place < p.place and f.price_per_tb_month <= p.price_per_tb_month);

    v_least := v_count * v_price[v_last] * v_bytes / c_terabyte;
    v_room := div(budget::numeric * c_terabyte, v_bytes) - v_count::numeric * v_price[v_last];
    if v_room < 0 then
        raise exception 'a budget of $% is too small for % memories of % bytes: the least is $%', budget, v_count, bytes,
            -- Rounded up, so that it is enough.
            trim_scale(ceil(v_least * power(10::numeric, 3 - floor(log(v_least)))) * power(10::numeric, floor(log(v_least)) - 3))
            using errcode = 'MN002';
    end if;
    v_used := array(select r.rate from unnest(rates) as r (rate) where r.rate > 0 order by r.rate desc);
    v_room := least(v_room, v_count::numeric * (v_price[1] - v_price[v_last]));
    -- In units as large as the prices allow, less room is left over, and fewer boundaries need a look.
    v_unit := greatest(1, gcd(gcd(v_price[1] - v_price[v_last], coalesce(v_price[2], v_price[v_last]) - v_price[v_last]),
                              coalesce(v_price[3], v_price[v_last]) - v_price[v_last]));
    v_ends := mnemo.best_boundaries(v_used, v_latency, array(select (p - v_price[v_last]) / v_unit from unnest(v_price) as p),
                                    div(v_room, v_unit)::bigint);
    -- The boundaries are those of the last tiers of four.
    v_ends := v_ends[5 - v_last:3] || v_count;

    return query
    with used as (
        select u.tier, u.place, u.latency, coalesce(v_ends[u.place - 1], 0) as after, v_ends[u.place] as upto
        from unnest(v_tiers, v_latency) with ordinality as u (tier, latency, place)
    ), share as (
        select u.place, sum(r.rate) as rate
        from unnest(v_used) with ordinality as r (rate, place) join used u on r.place > u.after and r.place <= u.upto
        group by u.place
    ), placed as (
        select p.tier, p.place, coalesce(u.upto - u.after, 0) as memories, coalesce(s.rate, 0) as rate,
               case when u.upto > u.after then coalesce(v_used[u.upto], 0) end as lowest,
               mnemo.dollars(coalesce(u.upto - u.after, 0), v_bytes::double precision, p.price_per_tb_month) as cost, p.latency_target_ms
        from mnemo.tier_price p left join used u using (tier) left join share s on s.place = u.place
    )
    select coalesce(p.tier, 'total'), sum(p.memories)::bigint, sum(p.rate), min(p.lowest), sum(p.cost),
           case when p.tier is not null then min(p.latency_target_ms) else sum(p.rate * p.latency_target_ms) / nullif(sum(p.rate), 0) end
    from placed p
    group by grouping sets ((p.tier), ())
    order by grouping(p.tier), min(p.place);
end
$$;
