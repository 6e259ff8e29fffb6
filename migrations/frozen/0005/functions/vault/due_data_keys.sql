-- Data keys that lie under an epoch other than the active one, in the order of epoch and id, after a place (null: from the first),
-- at most so many. For mnemo_vault.
create or replace function mnemo.due_data_keys(count integer, after_epoch integer default null, after_id uuid default null)
returns table (id uuid, purpose text, epoch integer, wrapped bytea)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- Epoch by epoch, for the index.
    select d.id, d.purpose, d.epoch, d.wrapped
    from (select k.tenant, k.epoch from mnemo.vault_key k
          where k.tenant = (select mnemo.tenant()) and k.state <> 'active' and k.epoch >= coalesce(due_data_keys.after_epoch, 0)
          order by k.epoch) as k,
         lateral (select d.* from mnemo.data_key d
                  where d.tenant = k.tenant and d.epoch = k.epoch
                    and (k.epoch > coalesce(due_data_keys.after_epoch, 0) or d.id > due_data_keys.after_id)
                  order by d.id limit due_data_keys.count) as d
    order by d.epoch, d.id
    limit due_data_keys.count
$$;
