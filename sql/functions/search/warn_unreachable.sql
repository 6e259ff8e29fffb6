-- Warns, with SQLSTATE 01MN1, that a tier is left out of an answer. Clients know it by that code, and the tier by the
-- second word.
create or replace function mnemo.warn_unreachable(p_tier text, p_error text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise warning 'tier % cannot be read and is left out', p_tier using errcode = '01MN1', detail = p_error;
end
$$;
