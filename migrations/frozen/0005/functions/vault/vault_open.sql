-- What a client needs to open an item: its header and its wrapped data key. The act ('vault.get' or 'vault.export') is in the
-- audit with it: commit before reading chunks, and nothing is read without a trace. MN017 when there is no such item; MN002 for
-- one of the scheme sql, which only mnemo.vault_get opens. For mnemo_vault.
create or replace function mnemo.vault_open(name text, act text default 'vault.get')
returns table (item uuid, tenant text, kind text, bytes bigint, chunks integer, chunk_bytes integer, files integer, version smallint,
               epoch integer, wrapped bytea)
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
declare
    v_item mnemo.vault_item := mnemo.item_named(vault_open.name);
begin
    if (vault_open.act in ('vault.get', 'vault.export')) is not true then
        raise exception 'an item is opened by vault.get or vault.export, not by %', coalesce(quote_literal(vault_open.act), 'null') using errcode = 'MN002';
    end if;
    if v_item.scheme <> 'client' then
        raise exception 'vault item % was stored by mnemo.vault_put: only mnemo.vault_get opens it, with the key it was stored with',
            quote_literal(vault_open.name) using errcode = 'MN002';
    end if;
    perform mnemo.record_audit(vault_open.act, v_item.id::text, jsonb_build_object('kind', v_item.kind));
    -- A data key that is not there leaves the wrapped one null: the item does not open.
    return query
    select v_item.id, v_item.tenant, v_item.kind, v_item.bytes, v_item.chunks, v_item.chunk_bytes, v_item.files, v_item.version,
           d.epoch, d.wrapped
    from (select) as one
    left join mnemo.data_key d on d.id = v_item.id and d.tenant = v_item.tenant and d.purpose = 'item';
end
$$;
