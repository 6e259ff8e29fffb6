-- Marks epochs whose keys are to be destroyed, and returns every epoch of this tenant so marked, these and earlier ones: whoever
-- asked destroys them in the key store and calls mnemo.finish_destroy. null: those that unfinished shreddings name, as far as
-- nothing lies under them any more. MN018 when one that is named is active, or wraps data keys, and in a copy
-- (mnemo.require_vault_home). MN002 unless read committed. For mnemo_vault.
-- Invariant kept: nothing lies under an epoch that is being destroyed, and nothing ever will: data keys go under the active one.
create or replace function mnemo.begin_destroy(epochs integer[] default null) returns integer[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_epochs integer[] := coalesce(begin_destroy.epochs, array(
        select distinct e from mnemo.shredding s, unnest(s.epochs) as e where s.tenant = v_tenant and s.finished_at is null));
    v_named  boolean := begin_destroy.epochs is not null;
    v_wrong  record;
begin
    -- An older snapshot would not show what was wrapped meanwhile.
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        raise exception 'epochs are destroyed in a read committed transaction, not a % one', current_setting('transaction_isolation')
            using errcode = 'MN002';
    end if;
    perform mnemo.require_vault_home();
    perform from mnemo.vault_key k where k.tenant = v_tenant and k.epoch = any (v_epochs) order by k.epoch for update;
    select k.epoch, k.state, (select count(*) from mnemo.data_key d where d.tenant = k.tenant and d.epoch = k.epoch) as data_keys into v_wrong
    from mnemo.vault_key k
    where k.tenant = v_tenant and k.epoch = any (v_epochs)
      and (k.state = 'active' or exists (select from mnemo.data_key d where d.tenant = k.tenant and d.epoch = k.epoch))
    order by k.epoch limit 1;
    if found and v_named then
        raise exception 'the key of epoch % cannot be destroyed: it is % and wraps % data keys', v_wrong.epoch, v_wrong.state, v_wrong.data_keys
            using errcode = 'MN018', hint = 'Rotate first.';
    end if;
    update mnemo.vault_key k set state = 'destroying'
    where k.tenant = v_tenant and k.epoch = any (v_epochs) and k.state = 'retired'
      and not exists (select from mnemo.data_key d where d.tenant = k.tenant and d.epoch = k.epoch);
    perform mnemo.injection_point('vault.destroying');
    return array(select k.epoch from mnemo.vault_key k where k.tenant = v_tenant and k.state = 'destroying' order by k.epoch);
end
$$;
