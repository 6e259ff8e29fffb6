-- Data keys that lie under an epoch other than the active one, oldest epoch first, at most so many. For mnemo_vault.
create or replace function mnemo.due_data_keys(count integer) returns table (id uuid, purpose text, epoch integer, wrapped bytea)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Epoch by epoch, for the index.
    return query
    select d.id, d.purpose, d.epoch, d.wrapped
    from (select k.tenant, k.epoch from mnemo.vault_key k where k.tenant = mnemo.tenant() and k.state <> 'active' order by k.epoch) as k,
         lateral (select d.* from mnemo.data_key d where d.tenant = k.tenant and d.epoch = k.epoch limit due_data_keys.count) as d
    limit due_data_keys.count;
end
$$;
