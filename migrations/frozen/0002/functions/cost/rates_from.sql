-- How many of the rates, which fall, are at least p_lowest.
create or replace function mnemo.rates_from(p_rates double precision[], p_lowest double precision) returns bigint
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_low  bigint := 0;
    v_high bigint := cardinality(p_rates);
    v_middle bigint;
begin
    while v_low < v_high loop
        v_middle := (v_low + v_high + 1) / 2;
        if p_rates[v_middle] >= p_lowest then
            v_low := v_middle;
        else
            v_high := v_middle - 1;
        end if;
    end loop;
    return v_low;
end
$$;
