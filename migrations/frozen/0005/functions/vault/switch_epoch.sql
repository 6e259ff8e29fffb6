-- What mnemo.start_epoch does, as a step of those that do more; returns the active epoch of before. It waits for all that wrap
-- under that one.
create or replace function mnemo.switch_epoch(p_epoch integer, p_store text, p_check_value bytea, p_first boolean default false) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_gap    constant integer := 100000;
    v_tenant text := mnemo.tenant();
    v_before integer;
begin
    perform mnemo.require_vault_home();
    select k.epoch into v_before from mnemo.vault_key k where k.tenant = v_tenant and k.state = 'active' for update;
    if p_first and v_before is not null then
        raise exception 'epoch % is active already', v_before using errcode = 'MN018';
    end if;
    -- Not far above, or the numbers would end.
    if (p_epoch - (select coalesce(max(k.epoch), 0) from mnemo.vault_key k where k.tenant = v_tenant) between 1 and c_gap) is not true then
        raise exception 'epoch % is not just above all that were', coalesce(p_epoch::text, 'null')
            using errcode = 'MN018', hint = 'Somebody else started one meanwhile: mnemo.active_epoch() says which can be next.';
    end if;
    update mnemo.vault_key k set state = 'retired', retired_at = clock_timestamp() where k.tenant = v_tenant and k.epoch = v_before;
    insert into mnemo.vault_home (fingerprint, since) values (mnemo.fingerprint(), clock_timestamp()) on conflict do nothing;
    insert into mnemo.vault_key (tenant, epoch, store, check_value, state, created_at)
    values (v_tenant, p_epoch, p_store, p_check_value, 'active', clock_timestamp())
    on conflict do nothing;
    if not found then
        raise exception 'epoch % is not above all that were', p_epoch using errcode = 'MN018', hint = 'Somebody else started one meanwhile.';
    end if;
    return v_before;
end
$$;
