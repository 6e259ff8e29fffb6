-- Stores a chunk of an item that mnemo.vault_begin opened, sealed by its client, encrypted once more under the third key, and
-- returns its bytes as stored. For mnemo_vault.
-- The key is 256 bits of HKDF output, not a passphrase: stretching it adds nothing, and the default of 65,536 rounds and more
-- costs 0.24 ms a chunk against 0.01. One salted pass (s2k-mode 1) gives each chunk its own key and costs no more than none.
create or replace function mnemo.vault_put_chunk(item uuid, "position" integer, sealed bytea, key text) returns integer
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_stored integer;
begin
    if exists (select from mnemo.vault_item i where i.id = vault_put_chunk.item) then
        raise exception 'vault item % is stored already', vault_put_chunk.item using errcode = 'MN018';
    end if;
    insert into mnemo.vault_chunk as c (item, position, tenant, body)
    values (vault_put_chunk.item, vault_put_chunk.position, mnemo.tenant(),
            pgp_sym_encrypt_bytea(vault_put_chunk.sealed, vault_put_chunk.key,
                                  'cipher-algo=aes256, compress-algo=0, s2k-mode=1, s2k-digest-algo=sha256'))
    returning octet_length(c.body) into v_stored;
    perform mnemo.injection_point('vault.chunk_stored');
    return v_stored;
end
$$;
