-- Shreds vault items and private memories: deletes the items, forgets the memories, deletes the data keys of both, and makes the next epoch the
-- active one, in one step, so that nothing of them is ever wrapped under an epoch that stays. What they may have been wrapped
-- under, in whatever backup, are all epochs of before: these are destroyed once their neighbours lie under the new one
-- (mnemo.rewrap_data_keys, then mnemo.begin_destroy and mnemo.finish_destroy; see mnemo.shredding). MN017 for an item that is not
-- there, or a memory with nothing sealed; MN018 when the epoch is not above all that were, and in
-- a copy (mnemo.require_vault_home). MN002 for items of the scheme sql: their
-- caller has the only key. For mnemo_vault.
-- Invariant kept: from its commit on, who was shredded is gone here, and what is left to do can be read from mnemo.shredding.
create or replace function mnemo.begin_shred(epoch integer, store text, check_value bytea, names text[], memories uuid[] default '{}') returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_wrong  text;
    v_items  jsonb;
    v_before bigint;
    v_bytes  bigint;
    v_id     uuid;
    v_seals  uuid[];
begin
    perform mnemo.require_vault_home();
    perform mnemo.lock_for_writing();
    lock table mnemo.vault_item in row exclusive mode;
    v_before := coalesce((select sum(i.stored_bytes) from mnemo.vault_item i where i.tenant = v_tenant and i.name = any (begin_shred.names)), 0);
    perform mnemo.charge(0, -v_before);
    -- From here on nobody puts anything under an epoch of before, and nobody moves a data key from one to another.
    perform mnemo.switch_epoch(begin_shred.epoch, begin_shred.store, begin_shred.check_value);
    select min(n.name) into v_wrong from unnest(begin_shred.names) as n (name)
    where not exists (select from mnemo.vault_item i where i.tenant = v_tenant and i.name = n.name);
    if v_wrong is not null then
        raise exception 'there is no vault item %', quote_literal(v_wrong) using errcode = 'MN017';
    end if;
    select min(i.name) into v_wrong from mnemo.vault_item i
    where i.tenant = v_tenant and i.name = any (begin_shred.names) and i.scheme <> 'client';
    if v_wrong is not null then
        raise exception 'vault item % was stored by mnemo.vault_put: only its caller can destroy its key', quote_literal(v_wrong)
            using errcode = 'MN002', hint = 'Destroy that key, and drop the item.';
    end if;
    v_seals := mnemo.seals_of(begin_shred.memories);
    with gone as (
        delete from mnemo.vault_item i where i.tenant = v_tenant and i.name = any (begin_shred.names) returning i.*
    )
    select coalesce(jsonb_agg(mnemo.shredded_item(g) order by g.id), '[]'), coalesce(sum(g.stored_bytes), 0) into v_items, v_bytes from gone g;
    -- One may have been replaced before it had to wait.
    if v_bytes <> v_before then
        perform mnemo.charge(0, v_before - v_bytes);
    end if;
    delete from mnemo.data_key d
    where d.tenant = v_tenant
      and (d.purpose = 'item' and d.id = any (array(select (i ->> 'id')::uuid from jsonb_array_elements(v_items) as i))
           or d.purpose = 'memory' and d.id = any (v_seals));
    if begin_shred.memories <> '{}' then
        perform mnemo.forget_many(begin_shred.memories);
    end if;
    v_id := mnemo.note_shredding(false, v_items, begin_shred.memories);
    perform mnemo.injection_point('vault.shred_begun');
    return v_id;
end
$$;
