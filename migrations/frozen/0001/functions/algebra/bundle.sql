-- bundle(hdv), bundle(hdv, weight): the component-wise majority of all rows, each counted weight times. A tie takes the
-- component of tie_hypervector(). The order of rows never matters; null rows and null weights are skipped; the bundle
-- of nothing is null. MN001 where a row is not D bits, MN002 where a weight is not positive.
--
-- The state counts all D components at once in bit-sliced counters: element 1 holds the total weight, elements 2k + 2
-- and 2k + 3 hold vectors worth 2^k each. The second of a pair waits (lazy carry-save): only when a third vector of the
-- same worth arrives do three become one, plus a carry worth twice as much. So a row costs one addition on average,
-- and memory is 2 D log2(total) bits. These run once a row: pinning a search_path would cost 6 %, so names are qualified.
create or replace function mnemo.bundle_add(p_state varbit[], p_hdv bit) returns varbit[]
language plpgsql immutable strict parallel safe
as $$
declare
    v_at integer := 2;
    v_carry varbit := p_hdv;
    v_half varbit;
    v_next varbit;
begin
    if pg_catalog.length(p_hdv) operator(pg_catalog.<>) {bits} then
        perform mnemo.require_bits(p_hdv);
    end if;
    p_state[1] := (p_state[1]::pg_catalog.bit(64)::bigint operator(pg_catalog.+) 1)::pg_catalog.bit(64);
    while p_state[v_at operator(pg_catalog.+) 1] is not null loop
        v_half := p_state[v_at] operator(pg_catalog.#) p_state[v_at operator(pg_catalog.+) 1];
        v_next := (p_state[v_at] operator(pg_catalog.&) p_state[v_at operator(pg_catalog.+) 1])
            operator(pg_catalog.|) (v_half operator(pg_catalog.&) v_carry);
        p_state[v_at] := v_half operator(pg_catalog.#) v_carry;
        p_state[v_at operator(pg_catalog.+) 1] := null;
        v_carry := v_next;
        v_at := v_at operator(pg_catalog.+) 2;
    end loop;
    if p_state[v_at] is null then
        p_state[v_at] := v_carry;
    else
        p_state[v_at operator(pg_catalog.+) 1] := v_carry;
    end if;
    return p_state;
end
$$;

create or replace function mnemo.bundle_add(p_state varbit[], p_hdv bit, p_weight bigint) returns varbit[]
language plpgsql immutable strict parallel safe
as $$
declare
    v_left bigint := p_weight;
    v_level integer := 2;
    v_at integer;
    v_carry varbit;
    v_half varbit;
    v_next varbit;
begin
    if pg_catalog.length(p_hdv) operator(pg_catalog.<>) {bits} then
        perform mnemo.require_bits(p_hdv);
    end if;
    if p_weight operator(pg_catalog.<=) 0 then
        raise exception using errcode = 'MN002',
            message = pg_catalog.format('invalid weight: %s is not a positive integer', p_weight);
    end if;
    p_state[1] := (p_state[1]::pg_catalog.bit(64)::bigint operator(pg_catalog.+) p_weight)::pg_catalog.bit(64);
    while v_left operator(pg_catalog.>) 0 loop
        if (v_left operator(pg_catalog.&) 1) operator(pg_catalog.=) 1 then
            v_at := v_level;
            v_carry := p_hdv;
            while p_state[v_at operator(pg_catalog.+) 1] is not null loop
                v_half := p_state[v_at] operator(pg_catalog.#) p_state[v_at operator(pg_catalog.+) 1];
                v_next := (p_state[v_at] operator(pg_catalog.&) p_state[v_at operator(pg_catalog.+) 1])
                    operator(pg_catalog.|) (v_half operator(pg_catalog.&) v_carry);
                p_state[v_at] := v_half operator(pg_catalog.#) v_carry;
                p_state[v_at operator(pg_catalog.+) 1] := null;
                v_carry := v_next;
                v_at := v_at operator(pg_catalog.+) 2;
            end loop;
            if p_state[v_at] is null then
                p_state[v_at] := v_carry;
            else
                p_state[v_at operator(pg_catalog.+) 1] := v_carry;
            end if;
        end if;
        v_left := v_left operator(pg_catalog.>>) 1;
        v_level := v_level operator(pg_catalog.+) 2;
    end loop;
    return p_state;
end
$$;

create or replace function mnemo.bundle_combine(p_a varbit[], p_b varbit[]) returns varbit[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_total bit(64) := (p_a[1]::bit(64)::bigint + p_b[1]::bit(64)::bigint)::bit(64);
begin
    for v_at in 2 .. cardinality(p_b) loop
        if p_b[v_at] is not null then
            p_a := mnemo.bundle_add(p_a, p_b[v_at], 1::bigint << ((v_at - 2) / 2));
        end if;
    end loop;
    p_a[1] := v_total;
    return p_a;
end
$$;

create or replace function mnemo.bundle_result(p_state varbit[]) returns bit
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_total bigint := p_state[1]::bit(64)::bigint;
    v_half bigint := v_total / 2;
    v_zero varbit := (0::bit(1))::varbit::bit({bits});
    v_carry varbit := v_zero;
    v_a varbit;
    v_b varbit;
    v_count varbit;
    v_result varbit;
begin
    if v_total = 0 then
        return null;
    end if;
    -- count > half, compared from the lowest bit up: a higher bit that differs overrules all below, so the start
    -- decides where count = half, which is a tie when the total is even and a minority when it is odd.
    v_result := case when v_total % 2 = 0 then mnemo.tie_hypervector() else v_zero end;
    for v_level in 0 .. 62 loop
        exit when v_total >> v_level = 0;
        v_a := coalesce(p_state[2 * v_level + 2], v_zero);
        v_b := coalesce(p_state[2 * v_level + 3], v_zero);
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
    initcond = '{x0000000000000000}',
    finalfunc = mnemo.bundle_result,
    combinefunc = mnemo.bundle_combine,
    parallel = safe
);

create or replace aggregate mnemo.bundle(bit, bigint) (
    sfunc = mnemo.bundle_add,
    stype = varbit[],
    initcond = '{x0000000000000000}',
    finalfunc = mnemo.bundle_result,
    combinefunc = mnemo.bundle_combine,
    parallel = safe
);
