-- How many records of a source have been read; 0 for a new one.
create or replace function mnemo.ingest_position(source text, collection text) returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(i.position), 0)
    from mnemo.ingest i
    where i.tenant = (select mnemo.tenant()) and i.collection = ingest_position.collection and i.source = ingest_position.source
$$;
