-- Forgets a memory for good; false when this tenant has none of that id. An archived one is out of reach at once, and leaves
-- the objects with the next compaction.
-- Invariant kept: its memory, activity and key rows, or its archived and key rows, go in one transaction, and what it took of
-- the tenant's quota comes back with it. Locks: the table, the quota, key, activity, memory, archived memory.
create or replace function mnemo.forget(id uuid) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_counted boolean;
    v_bytes   bigint;
begin
    -- A bulk load under way is waited for before anything is read: it ends with a lock that readers must leave it.
    perform mnemo.lock_for_writing();
    v_counted := mnemo.lock_quota();
    v_bytes := mnemo.forget_one(forget.id, v_counted);
    if v_counted and v_bytes is not null then
        perform mnemo.charge(-1, -v_bytes);
    end if;
    if v_bytes is not null then
        perform mnemo.record_audit('memory.forget', forget.id::text);
    end if;
    return v_bytes is not null;
end
$$;
