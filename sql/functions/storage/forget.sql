-- Forgets a memory for good; false when this tenant has none of that id. An archived one is out of reach at once, and leaves
-- the objects with the next compaction.
-- Invariant kept: its memory, activity and key rows, or its archived and key rows, go in one transaction. Locks: the table,
-- key, activity, memory, archived memory.
create or replace function mnemo.forget(id uuid) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bucket smallint := mnemo.bucket_of(forget.id);
    v_memory record;
    v_segment integer;
begin
    -- A bulk load under way is waited for before anything is read: it ends with a lock that readers must leave it.
    perform mnemo.lock_for_writing();
    -- It may go to the archive, or come back from there, while it is waited for: then it is looked for again.
    loop
        select m.tenant, m.collection, m.key, m.context into v_memory
        from mnemo.memory m
        where m.bucket = v_bucket and m.id = forget.id and m.tenant = (select mnemo.tenant());
        if not found then
            select a.tenant, a.collection, a.key, a.context into v_memory
            from mnemo.archived_memory a
            where a.bucket = v_bucket and a.id = forget.id and a.tenant = (select mnemo.tenant());
            if not found then
                return false;
            end if;
        end if;
        perform from mnemo.memory_key k
        where k.tenant = v_memory.tenant and k.collection = v_memory.collection and k.key = v_memory.key
        for update;
        delete from mnemo.activity a where a.bucket = v_bucket and a.id = forget.id returning a.segment into v_segment;
        if found then
            perform mnemo.uncount_memories(array[forget.id]);
            delete from mnemo.memory m where m.segment = v_segment and m.bucket = v_bucket and m.id = forget.id;
            delete from mnemo.accessed c where c.bucket = v_bucket and c.id = forget.id;
            delete from mnemo.pending_hypervector p where p.bucket = v_bucket and p.id = forget.id;
            exit;
        end if;
        exit when mnemo.bury(array[forget.id], 'forgotten') <> '{}';
    end loop;
    delete from mnemo.memory_key k
    where k.tenant = v_memory.tenant and k.collection = v_memory.collection and k.key = v_memory.key;
    perform mnemo.queue_copies(array[forget.id], true);
    perform mnemo.injection_point('forget.deleted');
    perform mnemo.publish('memory.forget', '{}', v_memory.context, forget.id);
    return true;
end
$$;
