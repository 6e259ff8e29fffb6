-- Puts data keys under the active epoch: each whose wrapped form is still the one of the same place in `before` takes that of
-- `after`. Returns how many; the others have changed meanwhile, or are gone. MN018 when the epoch is not active. For mnemo_vault.
-- Invariant kept: a data key is wrapped once, and opens under the epoch that its row names.
create or replace function mnemo.rewrap_data_keys(epoch integer, ids uuid[], before bytea[], after bytea[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_done   integer;
begin
    if cardinality(rewrap_data_keys.ids) <> cardinality(rewrap_data_keys.before)
       or cardinality(rewrap_data_keys.ids) <> cardinality(rewrap_data_keys.after)
       or (array_position(rewrap_data_keys.after, null) is null and array_position(rewrap_data_keys.after, '') is null) is not true then
        raise exception 'each data key needs its wrapped forms before and after' using errcode = 'MN002';
    end if;
    perform mnemo.lock_active_epoch(rewrap_data_keys.epoch);
    perform from mnemo.data_key d where d.id = any (rewrap_data_keys.ids) and d.tenant = v_tenant order by d.id for update;
    update mnemo.data_key d
    set epoch = rewrap_data_keys.epoch, wrapped = n.after
    from unnest(rewrap_data_keys.ids, rewrap_data_keys.before, rewrap_data_keys.after) as n (id, before, after)
    where d.id = n.id and d.tenant = v_tenant and d.wrapped = n.before and d.epoch <> rewrap_data_keys.epoch;
    get diagnostics v_done = row_count;
    perform mnemo.injection_point('vault.rewrapped');
    return v_done;
end
$$;
