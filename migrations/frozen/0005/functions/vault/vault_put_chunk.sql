-- Stores a chunk of an item that mnemo.vault_begin opened, sealed by its client, encrypted once more under the third key, and
-- returns its bytes as stored. MN018 for an item that is stored, MN002 outside of read committed. For mnemo_vault.
-- Invariant kept: all chunks of an item are of the transaction that stored it, which counted them.
create or replace function mnemo.vault_put_chunk(item uuid, "position" integer, sealed bytea, key text) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_body bytea := mnemo.vault_encrypt(vault_put_chunk.sealed, vault_put_chunk.key);
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'chunks are stored in a transaction that is read committed'
            using errcode = 'MN002', hint = 'An older snapshot would not see that somebody has stored the item meanwhile.';
    end if;
    -- One transaction at a time adds to an item; who waited sees below that it is stored.
    perform pg_advisory_xact_lock(hashtextextended(vault_put_chunk.item::text, 0));
    if exists (select from mnemo.vault_item i where i.tenant = mnemo.tenant() and i.id = vault_put_chunk.item) then
        raise exception 'vault item % is stored already', vault_put_chunk.item using errcode = 'MN018';
    end if;
    insert into mnemo.vault_chunk (item, position, tenant, body)
    values (vault_put_chunk.item, vault_put_chunk.position, mnemo.tenant(), v_body);
    perform mnemo.injection_point('vault.chunk_stored');
    return octet_length(v_body);
end
$$;
