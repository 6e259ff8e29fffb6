-- Chunks of an item from a position on, at most so many, without their outer layer: as the client sealed them. One error, 39000,
-- for whatever does not open. For mnemo_vault.
create or replace function mnemo.vault_chunks(item uuid, key text, first integer, count integer)
returns table ("position" integer, sealed bytea)
language plpgsql stable
rows 4
set search_path = pg_catalog, public, pg_temp
as $$
begin
    for "position", sealed in
        select c.position, pgp_sym_decrypt_bytea(c.body, vault_chunks.key)
        from mnemo.vault_chunk c
        where c.item = vault_chunks.item and c.tenant = mnemo.tenant() and c.position >= vault_chunks.first
        order by c.position
        limit vault_chunks.count
    loop
        return next;
    end loop;
exception when external_routine_invocation_exception or invalid_parameter_value or data_exception then
    perform mnemo.raise_sealed();
end
$$;
