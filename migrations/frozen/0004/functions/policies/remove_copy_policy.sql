-- Removes a copy policy, and gives up the copies: their objects are collected after the grace period. Returns the number of
-- the change. MN010 for the name of none.
create or replace function mnemo.remove_copy_policy(name text, reason text default 'removed by hand') returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.remove_policy(name, 'copy', reason)
$$;
