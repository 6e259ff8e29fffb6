-- Opens a put: an id for the new item, and the epoch under which its data key is to be wrapped; epoch null: the tenant has no
-- key yet, see mnemo.start_epoch. Then follow mnemo.vault_put_chunk for each chunk and mnemo.vault_finish, all in one transaction.
-- MN002 for an item of that name, unless it is to be replaced. For mnemo_vault.
create or replace function mnemo.vault_begin(name text, replace boolean default false)
returns table (item uuid, epoch integer, store text, check_value bytea)
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
begin
    if not vault_begin.replace then
        perform mnemo.require_new_item(vault_begin.name);
    end if;
    return query
    select uuidv7(), k.epoch, k.store, k.check_value
    from (select) as one left join mnemo.vault_key k on k.tenant = v_tenant and k.state = 'active';
end
$$;
