-- Raises MN005; MN013 when the memory is in the archive, where what was asked cannot be done.
create or replace function mnemo.raise_unknown_memory(id uuid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from mnemo.archived_memory a
               where a.bucket = mnemo.bucket_of(raise_unknown_memory.id) and a.id = raise_unknown_memory.id and a.tenant = (select mnemo.tenant())) then
        raise exception 'memory % is archived; mnemo restore brings it back', raise_unknown_memory.id using errcode = 'MN013';
    end if;
    raise exception 'unknown memory %', coalesce(raise_unknown_memory.id::text, 'null') using errcode = 'MN005';
end
$$;
