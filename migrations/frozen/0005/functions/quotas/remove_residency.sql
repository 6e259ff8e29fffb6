-- Lets data of a tenant be in any store again; false when it could. Called by members of mnemo_owner.
create or replace function mnemo.remove_residency(tenant text) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from mnemo.residency r where r.tenant = remove_residency.tenant) then
        return false;
    end if;
    perform mnemo.change_residency(remove_residency.tenant, null);
    return true;
end
$$;
