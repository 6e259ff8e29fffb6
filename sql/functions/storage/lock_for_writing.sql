-- Locks mnemo.memory as every writer does before it locks anything else, so that a bulk load under way is waited for.
-- A transaction that has read memories must not wait: the load cannot end before it does. It gets a serialization
-- failure at once; left to itself the deadlock would end the load, at its last step.
create or replace function mnemo.lock_for_writing() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    lock table only mnemo.memory in row exclusive mode nowait;
exception
    when lock_not_available then
        if (select count(distinct l.pid = pg_backend_pid()) = 2
            from pg_locks l
            where l.locktype = 'relation' and l.relation = 'mnemo.memory'::regclass and l.granted
              and l.database = (select d.oid from pg_database d where d.datname = current_database())
              and (l.pid = pg_backend_pid() or l.mode = 'ShareRowExclusiveLock'))
        then
            raise exception 'a bulk load is under way, and this transaction has read memories before it writes'
                using errcode = 'serialization_failure', hint = 'Try again; in another transaction a write waits for the load.';
        end if;
        lock table only mnemo.memory in row exclusive mode;
end
$$;
