-- Memories of this tenant by id; those that it does not have are left out.
create or replace function mnemo.get_memories(ids uuid[]) returns setof mnemo.memory
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select m.*
    from (select distinct i.id from unnest(ids) as i (id)) as wanted
    join mnemo.memory m on m.bucket = mnemo.bucket_of(wanted.id) and m.id = wanted.id
    where m.tenant = (select mnemo.tenant())
$$;
