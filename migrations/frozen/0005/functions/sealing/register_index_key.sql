-- Registers this tenant's index key, wrapped under the active epoch; false where there is one: use that. MN018 when the epoch is
-- not active. For mnemo_vault.
create or replace function mnemo.register_index_key(epoch integer, wrapped bytea) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.lock_active_epoch(register_index_key.epoch);
    insert into mnemo.data_key (id, tenant, purpose, epoch, wrapped)
    values (mnemo.index_key_id(mnemo.tenant()), mnemo.tenant(), 'index', register_index_key.epoch, register_index_key.wrapped)
    on conflict do nothing;
    return found;
end
$$;
