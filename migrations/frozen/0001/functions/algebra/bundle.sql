-- bundle(hdv), bundle(hdv, weight): the component-wise majority of all rows, each counted weight times. A tie takes the
-- component of tie_hypervector(). The order of rows never matters; null rows and null weights are skipped; the bundle
-- of nothing is null. MN001 where a row is not D bits, MN002 where a weight is not positive or the sum reaches 2^63.
--
-- The state counts all D components at once in bit-sliced counters: elements 2k + 1 and 2k + 2 hold up to two vectors
-- worth 2^k each (lazy carry-save). Only when a third of the same worth arrives do three become one, and a carry worth
-- twice as much. So a row costs one addition on average, memory is 2 D log2(total) bits, and the worths of the vectors
-- held always sum to the total weight. It starts as one null: an empty array would take the first subscript assigned
-- as its lower bound.
create or replace function mnemo.bundle_add(p_state varbit[], p_hdv bit) returns varbit[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_at integer := 3;
    v_carry varbit;
    v_half varbit;
begin
    if length(p_hdv) <> {bits} then
        perform mnemo.require_bits(p_hdv);
    end if;
    if p_state[2] is null then
        p_state[case when p_state[1] is null then 1 else 2 end] := p_hdv;
        return p_state;
    end if;
    v_half := p_state[1] # p_state[2];
    v_carry := (p_state[1] & p_state[2]) | (v_half & p_hdv);
    p_state[1] := v_half # p_hdv;
    p_state[2] := null;
    while p_state[v_at + 1] is not null loop
        v_half := p_state[v_at] # p_state[v_at + 1];
        p_state[v_at + 1] := (p_state[v_at] & p_state[v_at + 1]) | (v_half & v_carry);
        p_state[v_at] := v_half # v_carry;
        v_carry := p_state[v_at + 1];
        p_state[v_at + 1] := null;
        v_at := v_at + 2;
    end loop;
    p_state[case when p_state[v_at] is null then v_at else v_at + 1 end] := v_carry;
    return p_state;
end
$$;

create or replace function mnemo.bundle_add(p_state varbit[], p_hdv bit, p_weight bigint) returns varbit[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_left bigint := p_weight;
    v_level integer := 1;
    v_at integer;
    v_carry varbit;
    v_half varbit;
begin
    if length(p_hdv) <> {bits} then
        perform mnemo.require_bits(p_hdv);
    end if;
    if p_weight <= 0 then
        raise exception using errcode = 'MN002',
            message = format('invalid weight: %s is not a positive integer', p_weight);
    end if;
    while v_left > 0 loop
        if (v_left & 1) = 1 then
            v_at := v_level;
            v_carry := p_hdv;
            while p_state[v_at + 1] is not null loop
                v_half := p_state[v_at] # p_state[v_at + 1];
                p_state[v_at + 1] := (p_state[v_at] & p_state[v_at + 1]) | (v_half & v_carry);
                p_state[v_at] := v_half # v_carry;
                v_carry := p_state[v_at + 1];
                p_state[v_at + 1] := null;
                v_at := v_at + 2;
            end loop;
            p_state[case when p_state[v_at] is null then v_at else v_at + 1 end] := v_carry;
        end if;
        v_left := v_left >> 1;
        v_level := v_level + 2;
    end loop;
    return p_state;
end
$$;

create or replace function mnemo.bundle_combine(p_a varbit[], p_b varbit[]) returns varbit[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    for v_at in 1 .. cardinality(p_b) loop
        if p_b[v_at] is not null then
            p_a := mnemo.bundle_add(p_a, p_b[v_at], 1::bigint << ((v_at - 1) / 2));
        end if;
    end loop;
    return p_a;
end
$$;

create or replace function mnemo.bundle_result(p_state varbit[]) returns bit
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_total numeric := 0;
    v_half bigint;
    v_carry varbit := mnemo.tie_hypervector() # mnemo.tie_hypervector();
    v_zero varbit := v_carry;
    v_a varbit;
    v_b varbit;
    v_count varbit;
    v_result varbit;
begin
    for v_at in 1 .. cardinality(p_state) loop
        if p_state[v_at] is not null then
            v_total := v_total + 2::numeric ^ ((v_at - 1) / 2);
        end if;
    end loop;
    if v_total = 0 then
        return null;
    elsif v_total >= 2::numeric ^ 63 then
        raise exception using errcode = 'MN002',
            message = format('invalid weights: their sum %s is not below 2^63', trunc(v_total));
    end if;
    v_half := div(v_total, 2);

    -- count > half, compared from the lowest bit up: a higher bit that differs overrules all below, so the start
    -- decides where count = half, which is a tie when the total is even and a minority when it is odd.
    v_result := case when v_total % 2 = 0 then mnemo.tie_hypervector() else v_zero end;
    for v_level in 0 .. 62 loop
        exit when v_total::bigint >> v_level = 0;
        v_a := coalesce(p_state[2 * v_level + 1], v_zero);
        v_b := coalesce(p_state[2 * v_level + 2], v_zero);
        v_count := v_a # v_b # v_carry;
        v_carry := (v_a & v_b) | ((v_a # v_b) & v_carry);
        if (v_half >> v_level) & 1 = 1 then
            v_result := v_result & v_count;
        else
            v_result := v_result | v_count;
        end if;
    end loop;
    return v_result;
end
$$;

create or replace aggregate mnemo.bundle(bit) (
    sfunc = mnemo.bundle_add,
    stype = varbit[],
    initcond = '{null}',
    finalfunc = mnemo.bundle_result,
    combinefunc = mnemo.bundle_combine,
    parallel = safe
);

create or replace aggregate mnemo.bundle(bit, bigint) (
    sfunc = mnemo.bundle_add,
    stype = varbit[],
    initcond = '{null}',
    finalfunc = mnemo.bundle_result,
    combinefunc = mnemo.bundle_combine,
    parallel = safe
);
