-- A key for one purpose and one item, as hexadecimal digits, from a caller's.
create or replace function mnemo.vault_subkey(p_key bytea, p_purpose text, p_item uuid) returns text
language sql stable
set search_path = pg_catalog, public, pg_temp
as $$
    select encode(hmac(convert_to('mnemo/vault/sql/1/' || p_purpose || '/', 'UTF8') || uuid_send(p_item), p_key, 'sha256'), 'hex')
$$;
