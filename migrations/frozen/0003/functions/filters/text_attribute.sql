-- The beginning of an attribute, by its name or its path with dots, where it is a string, else null; the expression of the
-- B-trees that mnemo.index_attribute makes, whose keys must stay under 2,704 bytes. Compare it under collation "C", as jsonpath
-- compares strings.
create or replace function mnemo.text_attribute(attributes jsonb, name text) returns text
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(attributes #> string_to_array(name, '.')) = 'string' then left(attributes #>> string_to_array(name, '.'), 500) end
$$;
