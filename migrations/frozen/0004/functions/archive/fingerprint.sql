-- What tells this database from one that it is a copy of, or that is a copy of it: another server, another database on the
-- same one, or another timeline (restored from a base backup, or promoted). Copies of a whole data directory look alike.
create or replace function mnemo.fingerprint() returns text
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select format('%s:%s:%s', s.system_identifier, d.oid, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))
    from pg_control_system() as s, pg_database d
    where d.datname = current_database()
$$;
