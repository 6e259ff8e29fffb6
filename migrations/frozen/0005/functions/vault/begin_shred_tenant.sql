-- Shreds all that this tenant has sealed: deletes its items and data keys of every purpose, and retires its active epoch, so that
-- every key of the tenant is to be destroyed; then mnemo.begin_destroy. Items of the scheme sql are deleted with the others, but
-- their keys are their callers'. The next put begins with a new epoch. MN018 in a copy (mnemo.require_vault_home). For mnemo_vault.
create or replace function mnemo.begin_shred_tenant() returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant   text := mnemo.tenant();
    v_items    jsonb;
    v_memories uuid[];
    v_before   bigint;
    v_bytes    bigint;
    v_id       uuid;
begin
    perform mnemo.require_vault_home();
    lock table mnemo.vault_item in row exclusive mode;
    v_before := coalesce((select sum(i.stored_bytes) from mnemo.vault_item i where i.tenant = v_tenant), 0);
    perform mnemo.charge(0, -v_before);
    perform from mnemo.vault_key k where k.tenant = v_tenant and k.state = 'active' for update;
    update mnemo.vault_key k set state = 'retired', retired_at = clock_timestamp() where k.tenant = v_tenant and k.state = 'active';
    with gone as (
        delete from mnemo.vault_item i where i.tenant = v_tenant returning i.*
    )
    select coalesce(jsonb_agg(mnemo.shredded_item(g) order by g.id), '[]'), coalesce(sum(g.stored_bytes), 0) into v_items, v_bytes from gone g;
    -- Others may have stored some, or dropped some, before they had to wait.
    if v_bytes <> v_before then
        perform mnemo.charge(0, v_before - v_bytes);
    end if;
    with gone as (
        delete from mnemo.data_key d where d.tenant = v_tenant returning d.id, d.purpose
    )
    select coalesce(array_agg(g.id order by g.id) filter (where g.purpose = 'memory'), '{}') into v_memories from gone g;
    v_id := mnemo.note_shredding(true, v_items, v_memories);
    perform mnemo.injection_point('vault.tenant_shred_begun');
    -- Of a tenant without any key nothing is left to destroy.
    perform mnemo.certify_shreddings();
    return v_id;
end
$$;
