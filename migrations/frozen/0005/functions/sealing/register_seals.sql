-- Registers the data keys of memories that this transaction is about to store, wrapped under the active epoch, which stays
-- active until it ends. MN018 when that epoch is not active: wrap them again, and call it again (from a savepoint). For mnemo_vault.
-- Locks: the table, the quota, then the epoch; keys and memories come after it.
create or replace function mnemo.register_seals(epoch integer, ids uuid[], wrapped bytea[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if cardinality(register_seals.ids) is distinct from cardinality(register_seals.wrapped)
       or array_position(register_seals.ids, null) is not null or array_position(register_seals.wrapped, null) is not null then
        raise exception 'each data key needs its id and its wrapped form' using errcode = 'MN002';
    end if;
    perform mnemo.lock_for_writing();
    perform mnemo.lock_quota();
    perform mnemo.lock_active_epoch(register_seals.epoch);
    insert into mnemo.data_key (id, tenant, purpose, epoch, wrapped)
    select n.id, mnemo.tenant(), 'memory', register_seals.epoch, n.wrapped
    from unnest(register_seals.ids, register_seals.wrapped) as n (id, wrapped)
    order by n.id;
    perform mnemo.injection_point('seal.registered');
end
$$;
