-- Lets the caller of a function that made a table in pg_temp copy rows into it and look at them. The table stays that of the
-- function's owner, which is what mnemo.require_staging goes by.
create or replace function mnemo.share_staging(p_name name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('grant select, insert on pg_temp.%I to %I', p_name, mnemo.caller());
end
$$;
