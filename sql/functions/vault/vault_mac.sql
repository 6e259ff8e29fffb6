-- 32 bytes that authenticate the body of an item of the scheme sql: whose it is, its kind, its name and what it holds.
create or replace function mnemo.vault_mac(p_key bytea, p_item uuid, p_tenant text, p_kind text, p_name text, p_body bytea) returns bytea
language sql stable
set search_path = pg_catalog, public, pg_temp
as $$
    select hmac(
        -- A digest each, so that the borders between them are certain.
        sha256(convert_to(p_tenant, 'UTF8')) || sha256(convert_to(p_kind, 'UTF8')) || sha256(convert_to(p_name, 'UTF8')) || p_body,
        decode(mnemo.vault_subkey(p_key, 'authenticate', p_item), 'hex'), 'sha256')
$$;
