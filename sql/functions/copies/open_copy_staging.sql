-- Empties this session's table for mnemo.restore_copies, made on first use. content_sha256 null: not compared.
create or replace function mnemo.open_copy_staging() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table if not exists copy_staging (
        id             uuid primary key,
        tenant         text not null,
        collection     text not null,
        key            text,
        context        text,
        session        text,
        occurred_at    timestamptz not null,
        created_at     timestamptz not null,
        content        text not null,
        attributes     jsonb not null,
        encoded        "char" not null,
        strength       real not null,
        strength_at    timestamptz not null,
        last_access    timestamptz,
        access_count   bigint not null,
        content_sha256 bytea,
        embedding      bytea,
        hdv            bit varying not null,
        tier           text not null,
        pinned         boolean not null
    );
    perform mnemo.require_staging('copy_staging');
    perform mnemo.share_staging('copy_staging');
    truncate pg_temp.copy_staging;
end
$$;
