-- Raises MN003; returns text so that it can stand in an expression.
create or replace function mnemo.raise_filter(p_problem text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'malformed filter: %', p_problem using errcode = 'MN003';
end
$$;
