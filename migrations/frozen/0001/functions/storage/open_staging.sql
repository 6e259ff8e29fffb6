-- Makes sure that this session has its empty staging table, pg_temp.memory_staging, shaped like mnemo.draft.
-- It is a staging table because COPY into tables under forced row-level security is refused by Postgres.
create or replace function mnemo.open_staging() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('pg_temp.memory_staging') is null then
        create temporary table memory_staging of mnemo.draft on commit delete rows;
    end if;
end
$$;
