-- The conditions on one field: a value, which means equality, or an object of operators.
create or replace function mnemo.filter_field(p_field text, p_condition jsonb, p_depth integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_terms text[] := '{}';
    v_operator text;
    v_operand jsonb;
    v_steps text[];
begin
    if p_field = '' or p_field like '.%' or p_field like '%.' or p_field like '%..%' then
        perform mnemo.raise_filter(format('%s is not a field name', quote_literal(p_field)));
    end if;
    v_steps := array(select to_json(s.step)::text from string_to_table(p_field, '.') with ordinality as s (step, place) order by s.place);
    if jsonb_typeof(p_condition) <> 'object' then
        return mnemo.filter_comparison(v_steps, p_field, '$eq', p_condition);
    end if;
    if p_condition = '{}' then
        perform mnemo.raise_filter(format('no condition for field %s', quote_literal(p_field)));
    end if;
    for v_operator, v_operand in select * from jsonb_each(p_condition) loop
        if v_operator = '$not' then
            if jsonb_typeof(v_operand) <> 'object' then
                perform mnemo.raise_filter(format('$not of field %s takes an object of operators, not %s', quote_literal(p_field), v_operand));
            elsif p_depth > 32 then
                perform mnemo.raise_filter('nested more than 32 deep');
            end if;
            v_terms := v_terms || ('!(' || mnemo.filter_field(p_field, v_operand, p_depth + 1) || ')');
        else
            v_terms := v_terms || mnemo.filter_comparison(v_steps, p_field, v_operator, v_operand);
        end if;
    end loop;
    return array_to_string(v_terms, ' && ');
end
$$;
