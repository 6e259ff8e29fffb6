-- Locks the keys and activity rows of memories of this tenant, as other batches lock theirs, so that the two wait for
-- each other and never deadlock.
create or replace function mnemo.lock_memories(p_ids uuid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.lock_for_writing();
    -- By `any`, not by a join with the array: PostgreSQL 18.1 drops rows from such a join that others changed while it waited.
    perform from mnemo.memory m
    join mnemo.memory_key k on k.tenant = m.tenant and k.collection = m.collection and k.key = m.key
    where m.id = any (p_ids) and m.tenant = (select mnemo.tenant())
    order by k.collection, k.key
    for update of k;
    perform from mnemo.archived_memory m
    join mnemo.memory_key k on k.tenant = m.tenant and k.collection = m.collection and k.key = m.key
    where m.id = any (p_ids) and m.tenant = (select mnemo.tenant())
    order by k.collection, k.key
    for update of k;
    perform from mnemo.activity a
    where a.id = any (p_ids) and a.tenant = (select mnemo.tenant())
    order by a.bucket, a.id
    for update of a;
end
$$;
