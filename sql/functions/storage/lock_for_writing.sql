-- Locks mnemo.memory as every writer does before it locks anything else, so that a bulk load, or a consolidation that puts a
-- partition in place, is waited for. A transaction that has read memories must not wait for them: they cannot end before
-- it does. It gets a serialization failure; left to itself the deadlock would end the load, at its last step.
create or replace function mnemo.lock_for_writing() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_begun   timestamptz := clock_timestamp();
    v_before  text := current_setting('lock_timeout');
    v_longest integer;
    v_reads   boolean;
    v_rebuilt boolean;
begin
    begin
        lock table only mnemo.memory in row exclusive mode nowait;
        return;
    exception when lock_not_available then
        select s.setting::integer into v_longest from pg_settings s where s.name = 'lock_timeout';
    end;
    loop
        select coalesce(bool_or(l.pid = pg_backend_pid()), false),
               coalesce(bool_or(l.pid <> pg_backend_pid() and l.mode = 'ShareRowExclusiveLock'), false)
        into v_reads, v_rebuilt
        from pg_locks l
        where l.locktype = 'relation' and l.relation = 'mnemo.memory'::regclass and l.granted
          and l.database = (select d.oid from pg_database d where d.datname = current_database());
        if not v_reads then
            lock table only mnemo.memory in row exclusive mode;
            return;
        elsif v_rebuilt then
            raise exception 'a bulk load or a consolidation is under way, and this transaction has read memories before it writes'
                using errcode = 'serialization_failure', hint = 'Try again; in another transaction a write waits for it.';
        end if;
        -- Somebody waits to begin one: waited for a little at a time, to find out when it has begun.
        begin
            perform set_config('lock_timeout', '50ms', true);
            lock table only mnemo.memory in row exclusive mode;
            perform set_config('lock_timeout', v_before, true);
            return;
        exception when lock_not_available then
            if v_longest > 0 and extract(epoch from clock_timestamp() - v_begun) * 1000 >= v_longest then
                raise;
            end if;
        end;
    end loop;
end
$$;
