-- Where in the archive memories of this tenant lie: rows of segments. Those that are not there are left out.
create or replace function mnemo.archived_places(ids uuid[])
returns table (segment integer, row_number integer, memory_id uuid, bucket smallint)
language sql stable
rows 10
set search_path = pg_catalog, pg_temp
as $$
    select a.segment, a.row_number, a.id, a.bucket
    from mnemo.archived_memory a
    where a.id = any (archived_places.ids) and a.tenant = (select mnemo.tenant())
$$;
