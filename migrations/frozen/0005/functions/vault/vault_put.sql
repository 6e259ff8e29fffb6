-- Stores a vault item for a session that has its own key, without Python: one layer of pgcrypto (AES-256), authenticated by
-- HMAC-SHA256, under a key derived from the caller's and the item's id, tenant, kind and name; returns the id. The server sees content and key while it
-- works; Mnemo.vault.put of Python shows it neither. Both are parameters: \bind of psql, or a driver; MN019 where the key is part of the
-- statement, or the server would log it. MN002 for a key of fewer than 16 bytes, or a name in use. For mnemo_vault.
create or replace function mnemo.vault_put(name text, content bytea, key bytea, kind text default 'memory', metadata jsonb default '{}') returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id     uuid := uuidv7();
    v_tenant text := mnemo.tenant();
    v_at     timestamptz := mnemo.now();
    v_body   bytea;
    v_stored bigint;
begin
    perform mnemo.check_vault_key(vault_put.key);
    if vault_put.content is null then
        raise exception 'a vault item needs content' using errcode = 'MN002';
    end if;
    perform mnemo.check_vault_item(vault_put.kind, vault_put.metadata, octet_length(vault_put.content), null);
    v_body := mnemo.vault_encrypt(vault_put.content, mnemo.vault_subkey(vault_put.key, v_id, v_tenant, vault_put.kind, vault_put.name));
    v_stored := octet_length(v_body) + mnemo.label_bytes(vault_put.name, vault_put.metadata);
    perform mnemo.make_room(vault_put.name, v_stored, false);
    insert into mnemo.vault_chunk (item, position, tenant, body) values (v_id, 0, v_tenant, v_body);
    perform mnemo.insert_vault_item(row(
        v_id, v_tenant, vault_put.kind, vault_put.name, vault_put.metadata, octet_length(vault_put.content), v_stored, 1,
        greatest(octet_length(vault_put.content), 1), null, v_at, v_at, 'sql', 1)::mnemo.vault_item);
    return v_id;
end
$$;
