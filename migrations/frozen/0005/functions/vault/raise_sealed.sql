-- The one error for whatever does not open, which says nothing of why.
create or replace function mnemo.raise_sealed() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'it does not open: its key is another, or it is not what was sealed' using errcode = '39000';
end
$$;
