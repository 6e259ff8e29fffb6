-- Ends a put: the row of an item whose chunks are stored, and its data key, wrapped under the active epoch. Returns when it was
-- created. MN018 when that epoch is not active any more: wrap the key again and call it again (from a savepoint). MN002 for a
-- name in use, unless replace, and for chunks that are not all there. For mnemo_vault.
-- Invariant kept: an item is stored with all its chunks and one data key under an epoch that was active at the commit.
create or replace function mnemo.vault_finish(
    item uuid, name text, kind text, metadata jsonb, bytes bigint, chunk_bytes integer, files integer, happened_at timestamptz,
    epoch integer, wrapped bytea, version smallint, replace boolean default false
) returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_stored bigint;
    v_chunks integer;
    v_last   integer;
    v_at     timestamptz := mnemo.now();
begin
    perform mnemo.check_vault_item(vault_finish.kind, vault_finish.metadata, vault_finish.bytes, vault_finish.files);
    if (vault_finish.chunk_bytes > 0 and octet_length(vault_finish.wrapped) > 0) is not true then
        raise exception 'a vault item needs the size of its chunks and a wrapped data key' using errcode = 'MN002';
    end if;
    select sum(octet_length(c.body)), count(*), max(c.position) into v_stored, v_chunks, v_last
    from mnemo.vault_chunk c where c.item = vault_finish.item and c.tenant = v_tenant;
    if v_chunks = 0 or v_last <> v_chunks - 1 then
        raise exception 'of vault item % there are % chunks, the last at position %', vault_finish.item, v_chunks, coalesce(v_last::text, 'none')
            using errcode = 'MN002';
    end if;
    v_stored := v_stored + mnemo.label_bytes(vault_finish.name, vault_finish.metadata);
    perform mnemo.make_room(vault_finish.name, v_stored, vault_finish.replace, coalesce(vault_finish.epoch, 0));
    insert into mnemo.data_key (id, tenant, purpose, epoch, wrapped)
    values (vault_finish.item, v_tenant, 'item', vault_finish.epoch, vault_finish.wrapped);
    perform mnemo.insert_vault_item(row(
        vault_finish.item, v_tenant, vault_finish.kind, vault_finish.name, vault_finish.metadata, vault_finish.bytes, v_stored, v_chunks,
        vault_finish.chunk_bytes, vault_finish.files, coalesce(vault_finish.happened_at, v_at), v_at, 'client', vault_finish.version)::mnemo.vault_item);
    perform mnemo.injection_point('vault.finished');
    return v_at;
end
$$;
