-- Raises MN002; returns integer so that it can stand in an expression.
create or replace function mnemo.raise_ef_search(p_value text) returns integer
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'setting mnemo.ef_search must be a whole number from 1 to 1000, not %', quote_literal(p_value) using errcode = 'MN002';
end
$$;
