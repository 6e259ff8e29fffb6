-- One operator on one field, given as the quoted steps of its path. exists(path ? (...)) is false, not unknown, where
-- types differ or the field is absent. A path yields the elements of an array; an array among them is no value.
create or replace function mnemo.filter_comparison(p_steps text[], p_field text, p_operator text, p_operand jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_path text := '$.' || array_to_string(p_steps, '.');
    v_sign text := case p_operator when '$eq' then '==' when '$ne' then '==' when '$gt' then '>' when '$gte' then '>='
                                   when '$lt' then '<' when '$lte' then '<=' when '$in' then '==' when '$nin' then '==' end;
    v_any  text;
begin
    if p_operator = '$exists' then
        if jsonb_typeof(p_operand) <> 'boolean' then
            perform mnemo.raise_filter(format('$exists of field %s takes true or false, not %s', quote_literal(p_field), p_operand));
        end if;
        return case when p_operand = 'true' then '' else '!' end || 'exists(' || v_path || ')';
    elsif v_sign is null then
        perform mnemo.raise_filter(format('unknown operator %s of field %s', p_operator, quote_literal(p_field)));
    elsif p_operator in ('$in', '$nin') and jsonb_typeof(p_operand) <> 'array' then
        perform mnemo.raise_filter(format('%s of field %s takes an array, not %s', p_operator, quote_literal(p_field), p_operand));
    elsif p_operator not in ('$in', '$nin') then
        p_operand := jsonb_build_array(p_operand);
    end if;
    if jsonb_path_exists(p_operand, 'strict $[*] ? (@.type() == "object" || @.type() == "array")') then
        perform mnemo.raise_filter(format(
            '%s of field %s takes %s, not %s', p_operator, quote_literal(p_field),
            case when p_operator in ('$in', '$nin') then 'an array of strings, numbers, booleans and nulls'
                 else 'a string, number, boolean or null' end,
            jsonb_path_query_first(p_operand, 'strict $[*] ? (@.type() == "object" || @.type() == "array")')));
    end if;
    v_any := 'exists(' || v_path || ' ? (@.type() != "array" && ' || mnemo.filter_joined(array(
        select format('@ %s %s', v_sign, e.value) from jsonb_array_elements(p_operand) as e (value)), ' || ') || '))';
    if p_operand @> 'null' and p_operator not in ('$gt', '$lt') then
        v_any := '(' || v_any || ' || ' || mnemo.filter_absent(p_steps) || ')';
    end if;
    return case when p_operator in ('$ne', '$nin') then '!' else '' end || coalesce(v_any, '(1 == 0)');
end
$$;
