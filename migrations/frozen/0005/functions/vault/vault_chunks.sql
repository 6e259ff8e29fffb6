-- Chunks of an item from a position on, at most so many, without their outer layer: as the client sealed them. One error, 39000,
-- for whatever does not open. For mnemo_vault.
create or replace function mnemo.vault_chunks(item uuid, key text, first integer, count integer)
returns table ("position" integer, sealed bytea)
language sql stable
rows 4
set search_path = pg_catalog, pg_temp
as $$
    select c.position, mnemo.vault_decrypt(c.body, vault_chunks.key)
    from mnemo.vault_chunk c
    where c.item = vault_chunks.item and c.tenant = (select mnemo.tenant()) and c.position >= vault_chunks.first
    order by c.position
    limit vault_chunks.count
$$;
