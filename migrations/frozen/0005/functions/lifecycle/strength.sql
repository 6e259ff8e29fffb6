-- The strength of a memory now, 0 to 1. MN005 for an id that this tenant does not have.
create or replace function mnemo.strength(id uuid) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_strength double precision;
begin
    select mnemo.strength_at(a.ltp, a.ltp_at, mnemo.now(), mnemo.half_life()) into v_strength
    from mnemo.activity a
    where a.bucket = mnemo.bucket_of(strength.id) and a.id = strength.id and a.tenant = (select mnemo.tenant());
    if not found then
        perform mnemo.raise_unknown_memory(strength.id);
    end if;
    return v_strength;
end
$$;
