-- Notes in the writer's own transaction that memories of this tenant are to be copied to object storage, or that they were
-- forgotten. Nothing, unless a copy policy is enabled, and this tenant may be in the store.
-- Invariant kept: of whoever writes a memory last, the row of the queue is the last to commit, since both change it only
-- while they hold its activity row, or its key.
create or replace function mnemo.queue_copies(p_ids uuid[], p_forgotten boolean default false) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from mnemo.policy p where p.kind = 'copy' and p.enabled) and mnemo.tenant() <> all (mnemo.held_tenants()) then
        insert into mnemo.uncopied (at, id, bucket, forgotten, tenant)
        select mnemo.now(), w.id, mnemo.bucket_of(w.id), p_forgotten, mnemo.tenant() from unnest(p_ids) as w (id);
    end if;
end
$$;
