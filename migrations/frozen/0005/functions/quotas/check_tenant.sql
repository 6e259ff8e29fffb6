-- MN002 for what is no tenant's name.
create or replace function mnemo.check_tenant(p_tenant text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_tenant is null or octet_length(p_tenant) not between 1 and 1000 then
        raise exception 'a tenant has 1 to 1000 bytes, not %', coalesce(octet_length(p_tenant)::text, 'null') using errcode = 'MN002';
    end if;
end
$$;
