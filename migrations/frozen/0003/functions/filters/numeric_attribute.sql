-- An attribute, by its name or its path with dots, where it is a number, else null; the expression of the B-trees that
-- mnemo.index_attribute makes.
create or replace function mnemo.numeric_attribute(attributes jsonb, name text) returns numeric
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(attributes #> string_to_array(name, '.')) = 'number' then (attributes #>> string_to_array(name, '.'))::numeric end
$$;
