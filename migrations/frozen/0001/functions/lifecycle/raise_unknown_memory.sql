-- Raises MN005.
create or replace function mnemo.raise_unknown_memory(id uuid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'unknown memory %', coalesce(raise_unknown_memory.id::text, 'null') using errcode = 'MN005';
end
$$;
