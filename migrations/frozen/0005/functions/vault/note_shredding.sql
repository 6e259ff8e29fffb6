-- Writes down that items and memories were shredded, and that every epoch of this tenant but the active one has to be destroyed.
create or replace function mnemo.note_shredding(p_whole_tenant boolean, p_items jsonb, p_memories uuid[]) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shredding mnemo.shredding;
begin
    insert into mnemo.shredding (id, tenant, whole_tenant, items, memories, epochs, requested_at, requested_by)
    select uuidv7(), mnemo.tenant(), p_whole_tenant, p_items, p_memories,
           array(select k.epoch from mnemo.vault_key k where k.tenant = mnemo.tenant() and k.state <> 'active' order by k.epoch),
           clock_timestamp(), mnemo.caller()
    returning * into v_shredding;
    perform mnemo.record_audit('vault.shred', v_shredding.id::text, jsonb_build_object(
        'whole_tenant', p_whole_tenant, 'items', mnemo.audited_list(p_items), 'memories', mnemo.audited_list(to_jsonb(p_memories)),
        'epochs', mnemo.audited_list(to_jsonb(v_shredding.epochs)),
        'next', (select k.epoch from mnemo.vault_key k where k.tenant = v_shredding.tenant and k.state = 'active')));
    return v_shredding.id;
end
$$;
