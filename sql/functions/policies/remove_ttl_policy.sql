-- Removes a ttl policy and returns the number of the change. MN010 for the name of none.
create or replace function mnemo.remove_ttl_policy(name text, reason text default 'removed by hand') returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.remove_policy(name, 'ttl', reason)
$$;
