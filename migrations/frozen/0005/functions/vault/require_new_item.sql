-- MN002 when this tenant has a vault item of that name, or when it is no name.
create or replace function mnemo.require_new_item(p_name text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if (octet_length(p_name) between 1 and 1000) is not true then
        raise exception 'the name of a vault item has 1 to 1000 bytes, not %', coalesce(octet_length(p_name)::text, 'null') using errcode = 'MN002';
    end if;
    if exists (select from mnemo.vault_item i where i.tenant = mnemo.tenant() and i.name = p_name) then
        raise exception 'there is a vault item % already', quote_literal(p_name)
            using errcode = 'MN002', hint = 'Replace it by replace => true, or choose another name.';
    end if;
end
$$;
