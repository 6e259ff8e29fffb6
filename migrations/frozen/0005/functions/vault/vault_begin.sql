-- Opens a put: the id of the new item. Then follow mnemo.vault_put_chunk for each chunk and mnemo.vault_finish, all in one
-- transaction. MN002 for an item of that name, unless it is to be replaced. For mnemo_vault.
create or replace function mnemo.vault_begin(name text, replace boolean default false) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if (vault_begin.replace) is not true then
        perform mnemo.require_new_item(vault_begin.name);
    end if;
    return uuidv7();
end
$$;
