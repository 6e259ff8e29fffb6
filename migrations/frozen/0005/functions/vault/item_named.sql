-- A vault item of this tenant by name; MN017 when there is none.
create or replace function mnemo.item_named(p_name text) returns mnemo.vault_item
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_item mnemo.vault_item;
begin
    select i.* into v_item from mnemo.vault_item i where i.tenant = mnemo.tenant() and i.name = p_name;
    if not found then
        raise exception 'there is no vault item %', coalesce(quote_literal(p_name), 'null') using errcode = 'MN017';
    end if;
    return v_item;
end
$$;
