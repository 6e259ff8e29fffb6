-- Ends the shreddings of this tenant whose epochs are all destroyed, and writes their certificates into the audit (long lists
-- by their digests, see mnemo.audited_list); returns them.
create or replace function mnemo.certify_shreddings() returns setof uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant    text := mnemo.tenant();
    v_shredding mnemo.shredding;
    v_destroyed jsonb;
    v_final     timestamptz;
begin
    for v_shredding in
        select s.* from mnemo.shredding s where s.tenant = v_tenant and s.finished_at is null order by s.id for update
    loop
        continue when exists (select from mnemo.vault_key k
                              where k.tenant = v_tenant and k.epoch = any (v_shredding.epochs) and k.state <> 'destroyed');
        select coalesce(jsonb_agg(jsonb_build_object('epoch', k.epoch, 'store', k.store, 'destroyed_at', k.destroyed_at,
                                                     'final_at', k.final_at) order by k.epoch), '[]'), max(k.final_at)
        into v_destroyed, v_final
        from mnemo.vault_key k where k.tenant = v_tenant and k.epoch = any (v_shredding.epochs);
        update mnemo.shredding s
        set finished_at = clock_timestamp(),
            certificate = jsonb_build_object(
                'shredding', s.id, 'tenant', s.tenant, 'whole_tenant', s.whole_tenant, 'items', s.items, 'memories', to_jsonb(s.memories),
                'epochs', v_destroyed, 'requested_at', s.requested_at, 'requested_by', s.requested_by,
                'finished_at', clock_timestamp(), 'finished_by', mnemo.caller(), 'final_at', v_final)
        where s.id = v_shredding.id
        returning s.* into v_shredding;
        perform mnemo.record_audit('vault.certificate', v_shredding.id::text, v_shredding.certificate || jsonb_build_object(
            'items', mnemo.audited_list(v_shredding.items), 'memories', mnemo.audited_list(to_jsonb(v_shredding.memories)),
            'epochs', mnemo.audited_list(v_destroyed)));
        return next v_shredding.id;
    end loop;
end
$$;
