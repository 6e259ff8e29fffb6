-- Makes pg_temp.mnemo_exported, for this transaction: which memories an export has written into objects, row by row, and in
-- which version.
create or replace function mnemo.open_exported() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table mnemo_exported (
        row_number integer,
        bucket     smallint,
        id         uuid,
        tenant     text,
        collection text,
        place      tid,
        writer     xid
    ) on commit drop;
    perform mnemo.share_staging('mnemo_exported');
end
$$;
