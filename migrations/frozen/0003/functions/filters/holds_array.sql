-- Whether a value on the path of an attribute, its name or names with dots between, is an array.
create or replace function mnemo.holds_array(p_attributes jsonb, p_name text) returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(bool_or(jsonb_typeof(p_attributes #> s.steps[:n]) = 'array'), false)
    from (select string_to_array(p_name, '.') as steps) as s, generate_subscripts(s.steps, 1) as n
$$;
