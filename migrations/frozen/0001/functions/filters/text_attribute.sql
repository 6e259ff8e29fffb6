-- An attribute where it is a string, else null; the expression of the B-trees that mnemo.index_attribute makes.
create or replace function mnemo.text_attribute(attributes jsonb, name text) returns text
language sql immutable parallel safe
as $$
    select case when jsonb_typeof(attributes -> name) = 'string' then attributes ->> name end collate "C"
$$;
