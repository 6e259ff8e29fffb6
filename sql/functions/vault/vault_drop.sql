-- Deletes items, all or none, and returns how many. Backups and the disk may still hold them, and the key that opens them is
-- not destroyed: for that, shred them. MN017 when there is no such item. For mnemo_vault.
create or replace function mnemo.vault_drop(names text[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
    v_item mnemo.vault_item;
    v_done integer := 0;
begin
    lock table mnemo.vault_item in row exclusive mode;
    perform mnemo.charge(0, -coalesce((select sum(i.stored_bytes)::bigint from mnemo.vault_item i
                                       where i.tenant = mnemo.tenant() and i.name = any (vault_drop.names)), 0));
    for v_name in select distinct n from unnest(vault_drop.names) as n order by 1 loop
        v_item := mnemo.item_named(v_name);
        if mnemo.delete_vault_item(v_name) is distinct from v_item.stored_bytes then
            raise exception 'vault item % was dropped or replaced meanwhile', quote_literal(v_name) using errcode = 'MN018';
        end if;
        perform mnemo.record_audit('vault.drop', v_item.id::text, jsonb_build_object('kind', v_item.kind));
        v_done := v_done + 1;
    end loop;
    perform mnemo.injection_point('vault.dropped');
    return v_done;
end
$$;
