-- Makes pg_temp.mnemo_kept, for this transaction: which row of which archived segment (by its attempt) became which row of the
-- objects of a compaction.
create or replace function mnemo.open_kept() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table mnemo_kept (
        row_number integer primary key,
        attempt    uuid not null,
        old_row    integer not null,
        id         uuid not null
    ) on commit drop;
    perform mnemo.share_staging('mnemo_kept');
end
$$;
