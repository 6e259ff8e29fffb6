-- The content of an item that mnemo.vault_put stored. One error, 39000, for a wrong key and for an item that is not what was
-- stored. MN017 when there is no such item, MN002 when it was not stored by mnemo.vault_put, MN019 as there. For mnemo_vault.
create or replace function mnemo.vault_get(name text, key bytea) returns bytea
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_item    mnemo.vault_item;
    v_body    bytea;
    v_content bytea;
begin
    perform mnemo.check_vault_key(vault_get.key);
    v_item := mnemo.item_named(vault_get.name);
    if v_item.scheme <> 'sql' then
        raise exception 'vault item % was sealed by a client: only a client with the key store opens it', quote_literal(vault_get.name)
            using errcode = 'MN002';
    end if;
    select c.body into v_body from mnemo.vault_chunk c where c.item = v_item.id and c.tenant = v_item.tenant and c.position = 0;
    v_content := mnemo.vault_decrypt(v_body, mnemo.vault_subkey(vault_get.key, v_item.id, v_item.tenant, v_item.kind, v_item.name));
    perform mnemo.record_audit('vault.get', v_item.id::text, jsonb_build_object('kind', v_item.kind));
    return v_content;
end
$$;
