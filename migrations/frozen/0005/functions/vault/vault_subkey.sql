-- The key, as hexadecimal digits, that seals one item of the scheme sql: of its caller's, and of what must not be changed.
create or replace function mnemo.vault_subkey(p_key bytea, p_item uuid, p_tenant text, p_kind text, p_name text) returns text
language sql stable
set search_path = pg_catalog, public, pg_temp
as $$
    -- A digest each, so that the borders between them are certain.
    select encode(hmac(convert_to('mnemo/vault/sql/1/', 'UTF8') || uuid_send(p_item) || sha256(convert_to(p_tenant, 'UTF8'))
                       || sha256(convert_to(p_kind, 'UTF8')) || sha256(convert_to(p_name, 'UTF8')), p_key, 'sha256'), 'hex')
$$;
