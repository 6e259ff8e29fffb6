-- The text of a jsonpath predicate for a whole filter; '' for the empty one. Every predicate built here is true or
-- false, never unknown, so that negation keeps two-valued logic.
create or replace function mnemo.filter_predicate(p_filter jsonb, p_depth integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_terms text[] := '{}';
    v_key   text;
    v_value jsonb;
begin
    if p_depth > 32 then
        perform mnemo.raise_filter('nested more than 32 deep');
    end if;
    if jsonb_typeof(p_filter) <> 'object' then
        perform mnemo.raise_filter(format('expected an object, not %s', p_filter));
    end if;
    for v_key, v_value in select * from jsonb_each(p_filter) loop
        v_terms := v_terms || case
            when v_key in ('$and', '$or', '$nor') then mnemo.filter_combination(v_key, v_value, p_depth)
            when v_key = '$not' then '!(' || coalesce(nullif(mnemo.filter_predicate(v_value, p_depth + 1), ''), '1 == 1') || ')'
            when v_key like '$%' then mnemo.raise_filter('unknown operator ' || v_key || ' where a field or $and, $or, $nor, $not is expected')
            else mnemo.filter_field(v_key, v_value, p_depth)
        end;
    end loop;
    return array_to_string(v_terms, ' && ');
end
$$;
