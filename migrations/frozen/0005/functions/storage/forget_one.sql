-- Forgets a memory for good; returns the bytes that it took by its quota (0 unless p_counted: it has one), null when this
-- tenant has none of that id. The caller has locked the table and the quota, and charges what is free now.
-- Invariant kept: its memory, activity and key rows, or its archived and key rows, go in one transaction, and the data key of
-- what it has sealed. Locks: key, activity, memory, archived memory, data key.
create or replace function mnemo.forget_one(p_id uuid, p_counted boolean) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bucket  smallint := mnemo.bucket_of(p_id);
    v_memory  record;
    v_segment integer;
    v_buried  mnemo.archived_memory[];
    v_bytes   bigint := 0;
    v_seal    uuid;
begin
    -- It may go to the archive, or come back from there, while it is waited for: then it is looked for again.
    loop
        select m.tenant, m.collection, m.key, m.context into v_memory
        from mnemo.memory m
        where m.bucket = v_bucket and m.id = p_id and m.tenant = (select mnemo.tenant());
        if not found then
            select a.tenant, a.collection, a.key, a.context into v_memory
            from mnemo.archived_memory a
            where a.bucket = v_bucket and a.id = p_id and a.tenant = (select mnemo.tenant());
            if not found then
                return null;
            end if;
        end if;
        perform from mnemo.memory_key k
        where k.tenant = v_memory.tenant and k.collection = v_memory.collection and k.key = v_memory.key
        for update;
        delete from mnemo.activity a where a.bucket = v_bucket and a.id = p_id returning a.segment into v_segment;
        if found then
            perform mnemo.uncount_memories(array[p_id]);
            delete from mnemo.memory m where m.segment = v_segment and m.bucket = v_bucket and m.id = p_id
            returning case when p_counted then mnemo.payload_bytes(m) end, mnemo.seal_of(m.attributes) into v_bytes, v_seal;
            delete from mnemo.accessed c where c.bucket = v_bucket and c.id = p_id;
            delete from mnemo.pending_hypervector p where p.bucket = v_bucket and p.id = p_id;
            exit;
        end if;
        v_buried := mnemo.bury(array[p_id], 'forgotten');
        if v_buried <> '{}' then
            v_bytes := mnemo.payload_bytes(v_buried[1]);
            v_seal := mnemo.seal_of(v_buried[1].attributes);
            exit;
        end if;
    end loop;
    delete from mnemo.memory_key k
    where k.tenant = v_memory.tenant and k.collection = v_memory.collection and k.key = v_memory.key;
    perform mnemo.drop_seals(array[v_seal]);
    perform mnemo.queue_copies(array[p_id], true);
    perform mnemo.injection_point('forget.deleted');
    perform mnemo.publish('memory.forget', '{}', v_memory.context, p_id);
    return coalesce(v_bytes, 0);
end
$$;
