-- The importance of a memory as it is now: by its scores and by how often it was accessed, as far as that has been counted
-- (mnemo.importance_of). What is stored in its attributes is that of its scores alone, since nothing is written for an
-- access. MN005 for an id that this tenant does not have.
create or replace function mnemo.importance(id uuid) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_importance double precision;
begin
    select mnemo.importance_of(case when jsonb_typeof(m.attributes -> 'scores') = 'object' then m.attributes -> 'scores' end, a.access_count)
    into v_importance
    from mnemo.memory m
    join mnemo.activity a on a.bucket = m.bucket and a.id = m.id
    where m.bucket = mnemo.bucket_of(importance.id) and m.id = importance.id and m.tenant = (select mnemo.tenant());
    if not found then
        perform mnemo.raise_unknown_memory(importance.id);
    end if;
    return v_importance;
end
$$;
