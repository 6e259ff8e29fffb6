-- The epochs of this tenant, and how many data keys lie under each. For mnemo_vault.
create or replace function mnemo.vault_keys()
returns table (epoch integer, store text, check_value bytea, state text, data_keys bigint, created_at timestamptz,
               retired_at timestamptz, destroyed_at timestamptz, final_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select k.epoch, k.store, k.check_value, k.state,
           (select count(*) from mnemo.data_key d where d.tenant = k.tenant and d.epoch = k.epoch),
           k.created_at, k.retired_at, k.destroyed_at, k.final_at
    from mnemo.vault_key k
    where k.tenant = (select mnemo.tenant())
    order by k.epoch
$$;
