-- Whether another session has held mnemo.memory in one transaction for more than a second already: a dump, a long
-- report, somebody idle. As far as this role may see that; those that it may not see are waited for.
create or replace function mnemo.table_is_held() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_stat_clear_snapshot();
    return exists (
        select from pg_locks l
        join pg_stat_activity s on s.pid = l.pid
        where l.locktype = 'relation' and l.relation = 'mnemo.memory'::regclass and l.granted and l.pid <> pg_backend_pid()
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and s.xact_start < clock_timestamp() - interval '1 second');
end
$$;
