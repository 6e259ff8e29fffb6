-- Warns, with SQLSTATE 01MN1, that a tier is left out of an answer because of an error. Clients know it by that code,
-- and the tier by the second word. A missing privilege is such an error only where it is the server's own, on a file:
-- any other is raised again.
create or replace function mnemo.warn_unreachable(p_tier text, p_sqlstate text, p_error text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_sqlstate = '42501' and p_error !~ '"(base|pg_tblspc)/' then
        raise exception using errcode = p_sqlstate, message = p_error;
    end if;
    raise warning 'tier % cannot be read and is left out', p_tier using errcode = '01MN1', detail = p_error;
end
$$;
