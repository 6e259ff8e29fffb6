-- Keeps the active epoch of this tenant active until the transaction ends. MN018, naming the active one, when p_epoch is not:
-- its key may be on its way out, so nothing may be wrapped by it any more. Whoever retires or destroys a key locks its row.
create or replace function mnemo.lock_active_epoch(p_epoch integer) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
begin
    perform from mnemo.vault_key k where k.tenant = v_tenant and k.epoch = p_epoch and k.state = 'active' for share;
    if not found then
        raise exception 'epoch % is not active: the active one is %', coalesce(p_epoch::text, 'null'),
                coalesce((select k.epoch::text from mnemo.vault_key k where k.tenant = v_tenant and k.state = 'active'), 'none')
            using errcode = 'MN018', hint = 'Wrap the data key under the active epoch, and try again.';
    end if;
end
$$;
