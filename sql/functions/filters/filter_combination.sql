-- $and, $or and $nor: their operand is a non-empty array of filters.
create or replace function mnemo.filter_combination(p_operator text, p_operand jsonb, p_depth integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(p_operand) <> 'array' or p_operand = '[]' then
        perform mnemo.raise_filter(format('%s takes a non-empty array of filters, not %s', p_operator, p_operand));
    end if;
    return case p_operator when '$nor' then '!' else '' end || mnemo.filter_joined(array(
        select '(' || coalesce(nullif(mnemo.filter_predicate(e.value, p_depth + 1), ''), '1 == 1') || ')'
        from jsonb_array_elements(p_operand) with ordinality as e (value, place)
        order by e.place), case p_operator when '$and' then ' && ' else ' || ' end);
end
$$;
