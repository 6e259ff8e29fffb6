-- Locks the keys and activity rows of memories of this tenant, as other batches lock theirs, so that the two wait for
-- each other and never deadlock.
create or replace function mnemo.lock_memories(p_ids uuid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.lock_for_writing();
    perform from unnest(p_ids) as w (id)
    join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id
    join mnemo.memory_key k on k.tenant = m.tenant and k.collection = m.collection and k.key = m.key
    where m.tenant = mnemo.tenant()
    order by k.collection, k.key
    for update of k;
    perform from unnest(p_ids) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    where a.tenant = mnemo.tenant()
    order by a.bucket, a.id
    for update of a;
end
$$;
