-- Lets the session copy rows into a table that a function made in pg_temp, and look at them: whoever it acts as, and no other
-- session can reach it. The table stays that of the function's owner, which is what mnemo.require_staging goes by.
create or replace function mnemo.share_staging(p_name name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Not to the role: then it could not be dropped while the session lasts.
    execute format('grant select, insert on pg_temp.%I to public', p_name);
end
$$;
