-- The tablespace of a tier: mnemo_<tier> where the operator made one, else the database's own.
create or replace function mnemo.tier_tablespace(p_tier text) returns name
language sql stable strict
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select spcname from pg_tablespace where spcname = 'mnemo_' || p_tier),
        (select spcname from pg_tablespace t join pg_database d on d.dattablespace = t.oid where d.datname = current_database()))
$$;
