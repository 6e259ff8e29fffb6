-- Forgets memories for good, all or none; returns how many of them this tenant had.
create or replace function mnemo.forget_many(ids uuid[]) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.lock_memories(forget_many.ids);
    return (select count(*) from unnest(forget_many.ids) as w (id) where mnemo.forget(w.id));
end
$$;
