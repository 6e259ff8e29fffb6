-- Makes an epoch whose key is in the key store the active one, and retires the one before. MN018 unless its number is
-- above all that were: somebody else has started one meanwhile. For mnemo_vault.
-- Invariant kept: a tenant has at most one active epoch, and numbers are not used again.
create or replace function mnemo.start_epoch(epoch integer, store text, check_value bytea) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before integer;
begin
    v_before := mnemo.switch_epoch(start_epoch.epoch, start_epoch.store, start_epoch.check_value);
    perform mnemo.record_audit('vault.rotate', start_epoch.epoch::text, jsonb_build_object('from', v_before, 'store', start_epoch.store));
    perform mnemo.injection_point('vault.epoch_started');
end
$$;
