-- Notes that the key store has an epoch's key no more, for good from final_at on, and ends the shreddings that waited for nothing
-- else: their certificates go into the audit. Returns the shreddings it ended. MN018 when it was not being destroyed, and in a
-- copy (mnemo.require_vault_home). For mnemo_vault.
-- Invariant kept: a certificate says that keys are destroyed only once all of them are.
create or replace function mnemo.finish_destroy(epoch integer, final_at timestamptz) returns setof uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_key    mnemo.vault_key;
begin
    perform mnemo.require_vault_home();
    select k.* into v_key from mnemo.vault_key k where k.tenant = v_tenant and k.epoch = finish_destroy.epoch for update;
    if v_key.state = 'destroying' then
        update mnemo.vault_key k set state = 'destroyed', destroyed_at = clock_timestamp(), final_at = finish_destroy.final_at
        where k.tenant = v_tenant and k.epoch = finish_destroy.epoch;
        perform mnemo.record_audit('vault.destroy', finish_destroy.epoch::text, jsonb_build_object(
            'store', v_key.store, 'final_at', finish_destroy.final_at));
    elsif (v_key.state = 'destroyed') is not true then
        raise exception 'the key of epoch % is not being destroyed', finish_destroy.epoch using errcode = 'MN018';
    end if;
    perform mnemo.injection_point('vault.destroyed');
    return query select mnemo.certify_shreddings();
end
$$;
