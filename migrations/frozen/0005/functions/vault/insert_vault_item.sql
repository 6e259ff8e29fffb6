-- Inserts the row of a vault item and writes it to the audit; MN002 when somebody else has stored one of that name meanwhile.
create or replace function mnemo.insert_vault_item(p_item mnemo.vault_item) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into mnemo.vault_item select p_item.* on conflict do nothing;
    if not found then
        perform mnemo.require_new_item(p_item.name);
        raise exception 'vault item % is stored already', p_item.id using errcode = 'MN018';
    end if;
    perform mnemo.record_audit('vault.put', p_item.id::text, jsonb_build_object(
        'kind', p_item.kind, 'bytes', p_item.bytes, 'chunks', p_item.chunks, 'scheme', p_item.scheme));
end
$$;
