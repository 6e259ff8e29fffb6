-- Changes columns of a copy policy: {"column": value, ...}; those not named stay. Returns the number of the change.
-- Disabled, it leaves no copies, and enabled again it begins anew. MN010 for the name of none, MN002 for what is no column or
-- not possible.
create or replace function mnemo.alter_copy_policy(name text, settings jsonb, reason text default 'altered by hand') returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.alter_policy(name, 'copy', settings, reason)
$$;
