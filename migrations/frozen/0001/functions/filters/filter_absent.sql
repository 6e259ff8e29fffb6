-- Whether a field, given as the quoted steps of its path, is absent as MongoDB means it when it compares with null:
-- some object on the way lacks the next step, or holds a scalar there. What is not an object is passed over in arrays.
create or replace function mnemo.filter_absent(p_steps text[]) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.filter_joined(array_agg(
        format('exists(%s ? (@.type() == "object" && (!exists(@.%s)%s)))',
               array_to_string(array['$'] || p_steps[:n - 1], '.'), p_steps[n],
               case when n < cardinality(p_steps) then
                   format(' || (@.%1$s.type() != "object" && @.%1$s.type() != "array")', p_steps[n])
               end)
        order by n), ' || ')
    from generate_series(1, cardinality(p_steps)) as n
$$;
