-- The id of this tenant's index key, by which blind tokens are made, and its wrapped form, null where there is none yet
-- (mnemo.register_index_key). For mnemo_vault.
create or replace function mnemo.index_key() returns table (id uuid, tenant text, epoch integer, wrapped bytea)
language sql stable
rows 1
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.index_key_id(t.tenant), t.tenant, d.epoch, d.wrapped
    from (select mnemo.tenant() as tenant) as t
    left join mnemo.data_key d on d.id = mnemo.index_key_id(t.tenant) and d.tenant = t.tenant and d.purpose = 'index'
$$;
