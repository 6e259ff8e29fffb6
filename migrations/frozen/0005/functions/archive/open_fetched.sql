-- Makes pg_temp.mnemo_fetched, for this transaction: what a client has read from objects, and verified, goes there. attempt is
-- that of mnemo.archive: a segment's number may be used again, its attempt never is.
create or replace function mnemo.open_fetched() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table mnemo_fetched (
        attempt        uuid not null,
        row_number     integer not null,
        id             uuid not null,
        occurred_at    timestamptz,
        content        text not null,
        attributes     jsonb not null,
        embedding      bytea,
        encoded        "char" not null,
        content_sha256 bytea not null,
        hdv            bit varying,
        primary key (attempt, row_number)
    ) on commit drop;
    alter table pg_temp.mnemo_fetched alter column hdv set storage external;
    perform mnemo.share_staging('mnemo_fetched');
end
$$;
