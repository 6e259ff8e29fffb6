-- Gives a tenant another residency (p_stores null: none), and does what follows from it; see mnemo.set_residency.
create or replace function mnemo.change_residency(p_tenant text, p_stores text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_patience constant interval := '100 milliseconds';
    v_seconds  constant double precision := mnemo.setting('rebuild_patience_seconds');
    v_held     boolean;
    v_holds    boolean;
begin
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'a residency must be changed in a transaction that is read committed'
            using errcode = 'MN002', hint = 'An older snapshot would not see what others have begun since.';
    end if;
    -- Writers look for what may be copied while they hold the first, workers begin and end attempts while they hold the others.
    perform mnemo.lock_patiently('exclusive', c_patience, v_seconds, 'mnemo.quota');
    perform mnemo.lock_patiently('exclusive', c_patience, v_seconds, 'mnemo.segment');
    perform mnemo.lock_patiently('exclusive', c_patience, v_seconds, 'mnemo.copy_attempt');
    update mnemo.quota_change c set number = c.number + 1;
    v_held := p_tenant = any (mnemo.held_tenants());
    delete from mnemo.residency r where r.tenant = p_tenant;
    if p_stores is not null then
        insert into mnemo.residency (tenant, stores, set_at, held) values (p_tenant, p_stores, mnemo.now(), false);
    end if;
    perform mnemo.hold_residents();
    v_holds := p_tenant = any (mnemo.held_tenants());
    if v_holds and not v_held then
        perform mnemo.hold_tenant(p_tenant);
    elsif v_held and not v_holds then
        perform mnemo.queue_tenant(p_tenant);
    end if;
    perform mnemo.injection_point('residency.set');
    perform mnemo.record_audit(case when p_stores is null then 'residency.remove' else 'residency.set' end, p_tenant,
                               jsonb_build_object('stores', p_stores), p_tenant);
end
$$;
