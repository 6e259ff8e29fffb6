-- Deletes a vault item of this tenant, its chunks and its data key; returns its stored bytes, null when there is none.
create or replace function mnemo.delete_vault_item(p_name text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_item mnemo.vault_item;
begin
    delete from mnemo.vault_item i where i.tenant = mnemo.tenant() and i.name = p_name returning i.* into v_item;
    delete from mnemo.data_key k where k.id = v_item.id and k.tenant = v_item.tenant and k.purpose = 'item';
    return v_item.stored_bytes;
end
$$;
