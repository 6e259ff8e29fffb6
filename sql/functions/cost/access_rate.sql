-- Accesses an hour to expect of a memory, judged by its stay in its present tier; see mnemo.access_rate_at.
-- MN005 for an id that this tenant does not have.
create or replace function mnemo.access_rate(id uuid) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rate double precision;
begin
    select mnemo.access_rate_at(a.tier_accesses, a.entered_tier_at, a.last_access, mnemo.now()) into v_rate
    from mnemo.activity a
    where a.bucket = mnemo.bucket_of(access_rate.id) and a.id = access_rate.id and a.tenant = (select mnemo.tenant());
    if not found then
        perform mnemo.raise_unknown_memory(access_rate.id);
    end if;
    return v_rate;
end
$$;
