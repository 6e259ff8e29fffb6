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
        raise exception 'malformed filter: nested more than 32 deep' using errcode = 'MN003';
    end if;
    if jsonb_typeof(p_filter) <> 'object' then
        raise exception 'malformed filter: expected an object, not %', p_filter using errcode = 'MN003';
    end if;
    for v_key, v_value in select * from jsonb_each(p_filter) loop
        v_terms := v_terms || case
            when v_key in ('$and', '$or', '$nor') then mnemo.filter_combination(v_key, v_value, p_depth)
            when v_key = '$not' then
                case mnemo.filter_predicate(v_value, p_depth + 1)
                    when '' then '(1 == 0)'
                    else '!(' || mnemo.filter_predicate(v_value, p_depth + 1) || ')'
                end
            when v_key like '$%' then mnemo.raise_filter('unknown operator ' || v_key)
            else mnemo.filter_field(v_key, v_value, p_depth)
        end;
    end loop;
    return array_to_string(v_terms, ' && ');
end
$$;
