-- Makes sure that this session has its empty staging table, pg_temp.memory_staging, shaped like mnemo.draft.
-- It is a staging table because COPY into tables under forced row-level security is refused by Postgres.
create or replace function mnemo.open_staging() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('pg_temp.memory_staging') is null then
        -- Read once and soon: moving hypervectors out of line and back would double the time of staging.
        create temporary table memory_staging of mnemo.draft with (toast_tuple_target = 8160) on commit delete rows;
        alter table pg_temp.memory_staging alter column hdv set storage plain;
    end if;
    perform mnemo.require_staging('memory_staging');
    perform mnemo.share_staging('memory_staging');
end
$$;
