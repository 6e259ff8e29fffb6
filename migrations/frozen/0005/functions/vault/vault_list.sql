-- What this tenant's vault holds, by name: of one kind, with metadata that contain these; null: all. For mnemo_vault.
create or replace function mnemo.vault_list(kind text default null, metadata jsonb default null) returns setof mnemo.vault_item
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if vault_list.metadata is null then
        return query
        select i.* from mnemo.vault_item i
        where i.tenant = mnemo.tenant() and (vault_list.kind is null or i.kind = vault_list.kind)
        order by i.name;
    else
        return query
        select i.* from mnemo.vault_item i
        where i.tenant = mnemo.tenant() and (vault_list.kind is null or i.kind = vault_list.kind)
          and i.id = any (array(select mnemo.vault_candidates(vault_list.metadata)))
        order by i.name;
    end if;
end
$$;
