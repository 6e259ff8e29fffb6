-- Deletes items, all or none, and returns how many. Backups and the disk may still hold them, and the key that opens them is
-- not destroyed: for that, shred them. MN017 when there is no such item. For mnemo_vault.
create or replace function mnemo.vault_drop(names text[]) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_wrong  text;
    v_before bigint;
    v_bytes  bigint;
    v_ids    uuid[];
begin
    lock table mnemo.vault_item in row exclusive mode;
    select min(n.name) into v_wrong from unnest(vault_drop.names) as n (name)
    where not exists (select from mnemo.vault_item i where i.tenant = v_tenant and i.name = n.name);
    if v_wrong is not null then
        raise exception 'there is no vault item %', quote_literal(v_wrong) using errcode = 'MN017';
    end if;
    v_before := coalesce((select sum(i.stored_bytes) from mnemo.vault_item i where i.tenant = v_tenant and i.name = any (vault_drop.names)), 0);
    perform mnemo.charge(0, -v_before);
    perform from mnemo.vault_item i where i.tenant = v_tenant and i.name = any (vault_drop.names) order by i.name for update;
    with gone as (
        delete from mnemo.vault_item i where i.tenant = v_tenant and i.name = any (vault_drop.names) returning i.id, i.stored_bytes
    )
    select array_agg(g.id order by g.id), coalesce(sum(g.stored_bytes), 0) into v_ids, v_bytes from gone g;
    -- Somebody may have replaced or dropped one before it had to wait.
    if v_bytes <> v_before then
        perform mnemo.charge(0, v_before - v_bytes);
    end if;
    delete from mnemo.data_key d where d.tenant = v_tenant and d.purpose = 'item' and d.id = any (v_ids);
    perform mnemo.record_audit('vault.drop', i.id::text) from unnest(v_ids) as i (id);
    perform mnemo.injection_point('vault.dropped');
    return cardinality(v_ids);
end
$$;
