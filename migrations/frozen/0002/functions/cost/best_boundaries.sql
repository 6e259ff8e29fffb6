-- The best way to divide memories among up to four tiers: up to which place, hottest first, each tier goes; the last
-- takes the rest. p_rates: positive, falling. p_latency rises, p_price falls, both one a tier; p_room: how much more
-- than in the last tier all may cost together. Minimises the sum of rate * latency, exactly but for the rounding of doubles.
--
-- With P(e) the sum of the e highest rates, and g, d the steps in latency and price from a tier to the next, it is the
-- largest Q = g1 P(e1) + g2 P(e2) + g3 P(e3) for which d1 e1 + d2 e2 + d3 e3 <= room and e1 <= e2 <= e3. Prices are whole
-- numbers, so the room is kept exactly.
-- Price the room at some z > 0. Without the limit, each memory by itself takes the tier in which its part of
-- Q - z d e is largest; with that sum as M, no choice within the room has Q above the bound M + z room, and a
-- choice has as much less as it (a) falls short of M and (b) leaves room unused, at z each. So nothing beats the best
-- choice known, which is `gap` below the bound, unless both (a) and (b) are less than the gap. For e1 alone, the least
-- of (a) over all that can follow is convex, and least at the place best by itself: the e1 worth a try are one
-- interval around it. For e2 given e1 likewise, and e3 is then all that the room allows. Both are walked outwards,
-- while better choices narrow the gap. Given e1, the room left is at least what it is modulo gcd(d2, d3): that spares most
-- e1 a look at any e2. For z we take the price between those at which the memories' own choices fit and do not, and
-- begin with the fitting ones, the hottest memories changed to the others as long as there is room: then the gap is
-- at most the price of one memory. Any other z and beginning were as right, only slower.
create or replace function mnemo.best_boundaries(
    p_rates double precision[], p_latency double precision[], p_price bigint[], p_room bigint
) returns bigint[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    m       bigint := cardinality(p_rates);
    c_tiers constant integer := cardinality(p_price);
    -- Four tiers; where fewer are given, the first ones of four are never used.
    c_first constant integer := 5 - c_tiers;
    v_sum   double precision[];
    v_latency double precision[] := array_fill(0::double precision, array[c_first - 1]) || p_latency;
    v_price bigint[] := array_fill(p_price[1], array[c_first - 1]) || p_price;
    g       double precision[];
    d       bigint[];
    -- Tier t or a faster one from k on is best for a memory by itself where its rate is at least z * limits[k][t].
    v_limits double precision[];
    v_own   bigint[];
    z       double precision;
    z_low   double precision := 0;
    z_high  double precision := 0;
    v_own2 bigint; v_own3 bigint; v_after2 bigint;
    v_most  double precision;
    v_gap   double precision;
    v_value double precision;
    v_first double precision;
    v_best  bigint[];
    v_more  bigint[];
    v_floor double precision;
    v_common bigint;
    v_low   bigint := 0;
    v_high  bigint := m;
    v_middle bigint;
    v_tolerance double precision;
    e1 bigint; e2 bigint; e3 bigint;
    v_way1 integer; v_way2 integer;
    v_low1 bigint; v_high1 bigint;
    v_low2 bigint; v_high2 bigint;
    v_middle1 bigint; v_middle2 bigint;
begin
    select array_agg(v_latency[t + 1] - v_latency[t] order by t), array_agg(v_price[t] - v_price[t + 1] order by t)
    into g, d from generate_series(1, 3) as t;
    if c_tiers = 1 or m = 0 then
        return '{0,0,0}';
    elsif p_room >= (d[1] + d[2] + d[3]) * m then
        return array(select case when t >= c_first then m else 0 end from generate_series(1, 3) as t);
    end if;
    v_sum := array(select 0::double precision union all
                   select sum(r.rate) over (order by r.place) from unnest(p_rates) with ordinality as r (rate, place));
    -- limits as a flat array of 3 rows; infinite where tier t is not one of k on.
    select array_agg(coalesce(l.rate, 'infinity') order by k, t) into v_limits
    from generate_series(1, 3) as k
    cross join generate_series(1, 3) as t
    cross join lateral (
        select min(f.rate) as rate
        from (select max((v_price[f] - v_price[s]) / (v_latency[s] - v_latency[f])) as rate
              from generate_series(greatest(k, c_first), t) as f cross join generate_series(t + 1, 4) as s
              group by f) as f
    ) as l;

    z_high := 2 * p_rates[1] / (select min(l) from unnest(v_limits) as l);
    loop
        z := (z_low + z_high) / 2;
        exit when z <= z_low or z >= z_high;
        v_own := array(select mnemo.rates_from(p_rates, z * v_limits[t]) from generate_series(1, 3) as t);
        if d[1] * v_own[1] + d[2] * v_own[2] + d[3] * v_own[3] <= p_room then
            z_high := z;
        else
            z_low := z;
        end if;
    end loop;
    z := z_high;
    v_own := array(select mnemo.rates_from(p_rates, z * v_limits[t]) from generate_series(1, 9) as t);
    v_own2 := v_own[5];
    v_own3 := v_own[6];
    v_after2 := v_own[9];
    v_most := g[1] * v_sum[v_own[1] + 1] + g[2] * v_sum[v_own[2] + 1] + g[3] * v_sum[v_own[3] + 1]
              - z * (d[1] * v_own[1] + d[2] * v_own[2] + d[3] * v_own[3]);
    v_more := array(select mnemo.rates_from(p_rates, z_low * v_limits[t]) from generate_series(1, 3) as t);
    while v_low < v_high loop
        v_middle := (v_low + v_high + 1) / 2;
        if d[1] * greatest(v_own[1], least(v_more[1], v_middle)) + d[2] * greatest(v_own[2], least(v_more[2], v_middle))
           + d[3] * greatest(v_own[3], least(v_more[3], v_middle)) <= p_room then
            v_low := v_middle;
        else
            v_high := v_middle - 1;
        end if;
    end loop;
    v_best := array(select greatest(v_own[t], least(v_more[t], v_low)) from generate_series(1, 3) as t);
    v_gap := v_most + z * p_room - g[1] * v_sum[v_best[1] + 1] - g[2] * v_sum[v_best[2] + 1] - g[3] * v_sum[v_best[3] + 1];
    -- What differs by less is a matter of rounding.
    v_common := gcd(d[2], d[3]);
    v_tolerance := 1e-14 * (v_most + z * p_room);

    v_high1 := case when c_first > 1 then 0 else least(m, p_room / (d[1] + d[2] + d[3])) end;
    v_low1 := case when c_first > 1 then 0 else greatest(0, ceil((p_room - (d[2] + d[3]) * m - v_gap / z) / d[1])) end;
    v_middle1 := least(greatest(v_best[1], v_low1), v_high1);
    foreach v_way1 in array array[1, -1] loop
        e1 := v_middle1 + least(v_way1, 0);
        while e1 between v_low1 and v_high1 loop
            e2 := greatest(v_own2, e1);
            e3 := greatest(v_own3, e1);
            v_floor := v_most - (g[1] * v_sum[e1 + 1] + g[2] * v_sum[e2 + 1] + g[3] * v_sum[e3 + 1] - z * (d[1] * e1 + d[2] * e2 + d[3] * e3));
            exit when v_floor >= v_gap - v_tolerance;
            v_floor := v_floor + z * ((p_room - d[1] * e1) % v_common);
            v_first := g[1] * v_sum[e1 + 1] - z * d[1] * e1 - v_most;
            v_high2 := case when c_first > 2 then 0 else least(m, (p_room - d[1] * e1) / (d[2] + d[3])) end;
            v_low2 := case when c_first > 2 then 0
                           else greatest(e1, ceil((p_room - d[1] * e1 - d[3] * m - v_gap / z) / d[2])) end;
            v_middle2 := least(greatest(v_own2, v_low2), v_high2);
            foreach v_way2 in array array[1, -1] loop
                e2 := v_middle2 + least(v_way2, 0);
                while e2 between v_low2 and v_high2 and v_floor < v_gap - v_tolerance loop
                    e3 := greatest(v_after2, e2);
                    exit when - v_first - g[2] * v_sum[e2 + 1] - g[3] * v_sum[e3 + 1] + z * (d[2] * e2 + d[3] * e3) >= v_gap - v_tolerance;
                    e3 := least(m, (p_room - d[1] * e1 - d[2] * e2) / d[3]);
                    v_value := v_most + z * p_room - g[1] * v_sum[e1 + 1] - g[2] * v_sum[e2 + 1] - g[3] * v_sum[e3 + 1];
                    if v_value < v_gap then
                        v_gap := v_value;
                        v_best := array[e1, e2, e3];
                    end if;
                    e2 := e2 + v_way2;
                end loop;
            end loop;
            e1 := e1 + v_way1;
        end loop;
    end loop;
    return v_best;
end
$$;
