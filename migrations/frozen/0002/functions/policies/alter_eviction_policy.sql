-- Changes columns of an eviction policy: {"column": value, ...}; those not named stay. Returns the number of the change.
-- MN010 for the name of none, MN002 for what is no column or not possible.
create or replace function mnemo.alter_eviction_policy(name text, settings jsonb, reason text default 'altered by hand') returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.alter_policy(name, 'eviction', settings, reason)
$$;
