-- Makes an epoch whose key is in the key store the active one, and retires the one before. MN018 unless its number is
-- above all that were, and with `first` where there is an active one: somebody else has started it meanwhile. MN018 in a copy
-- too (mnemo.require_vault_home), but for the first epoch of a tenant. For mnemo_vault.
-- Invariant kept: a tenant has at most one active epoch, and numbers are not used again.
create or replace function mnemo.start_epoch(epoch integer, store text, check_value bytea, first boolean default false) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before integer;
begin
    v_before := mnemo.switch_epoch(start_epoch.epoch, start_epoch.store, start_epoch.check_value, start_epoch.first);
    perform mnemo.record_audit('vault.rotate', start_epoch.epoch::text, jsonb_build_object('from', v_before, 'store', start_epoch.store));
    perform mnemo.injection_point('vault.epoch_started');
end
$$;
