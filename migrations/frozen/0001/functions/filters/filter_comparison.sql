-- One operator on one field. exists(path ? (...)) is false, not unknown, where types differ or the field is absent.
create or replace function mnemo.filter_comparison(p_path text, p_field text, p_operator text, p_operand jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sign text := case p_operator when '$eq' then '==' when '$ne' then '==' when '$gt' then '>' when '$gte' then '>='
                                   when '$lt' then '<' when '$lte' then '<=' end;
    v_values text[];
begin
    if p_operator = '$exists' then
        if jsonb_typeof(p_operand) <> 'boolean' then
            perform mnemo.raise_filter(format('$exists of field %s takes true or false, not %s', quote_literal(p_field), p_operand));
        end if;
        return case when p_operand = 'true' then '' else '!' end || 'exists(' || p_path || ')';
    elsif p_operator in ('$in', '$nin') then
        if jsonb_typeof(p_operand) <> 'array' then
            perform mnemo.raise_filter(format('%s of field %s takes an array, not %s', p_operator, quote_literal(p_field), p_operand));
        end if;
        v_values := array(
            select mnemo.filter_comparison(p_path, p_field, '$eq', e.value) from jsonb_array_elements(p_operand) as e (value));
        return case p_operator when '$in' then '' else '!' end
            || '(' || coalesce(nullif(array_to_string(v_values, ' || '), ''), '1 == 0') || ')';
    elsif v_sign is null then
        perform mnemo.raise_filter(format('unknown operator %s of field %s', p_operator, quote_literal(p_field)));
    elsif jsonb_typeof(p_operand) in ('object', 'array') then
        perform mnemo.raise_filter(format('%s of field %s takes a string, number, boolean or null, not %s',
                                          p_operator, quote_literal(p_field), p_operand));
    elsif p_operand = 'null' and p_operator in ('$eq', '$ne') then
        return case p_operator when '$eq' then '' else '!' end
            || format('(exists(%s ? (@ == null)) || !exists(%s))', p_path, p_path);
    end if;
    return case p_operator when '$ne' then '!' else '' end || format('exists(%s ? (@ %s %s))', p_path, v_sign, p_operand);
end
$$;
