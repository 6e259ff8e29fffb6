-- An attribute where it is a number, else null; the expression of the B-trees that mnemo.index_attribute makes.
create or replace function mnemo.numeric_attribute(attributes jsonb, name text) returns numeric
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(attributes -> name) = 'number' then (attributes ->> name)::numeric end
$$;
