-- The data key that a memory's attributes name; null where they name none.
create or replace function mnemo.seal_of(p_attributes jsonb) returns uuid
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case when pg_input_is_valid(p_attributes ->> '$seal', 'uuid') then (p_attributes ->> '$seal')::uuid end
$$;
