-- Pins a memory where it is, or lets it move again. Pinned, no policy moves, evicts or forgets it.
-- MN005 for an id that this tenant does not have.
create or replace function mnemo.pin(id uuid, pinned boolean default true) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- mnemo.set_deadlines reads memories: a bulk load under way is waited for before anything is locked.
    perform mnemo.lock_for_writing();
    update mnemo.activity a set pinned = coalesce(pin.pinned, true)
    where a.bucket = mnemo.bucket_of(pin.id) and a.id = pin.id and a.tenant = (select mnemo.tenant());
    if not found then
        perform mnemo.raise_unknown_memory(pin.id);
    end if;
    perform mnemo.set_deadlines(array[pin.id]);
end
$$;
