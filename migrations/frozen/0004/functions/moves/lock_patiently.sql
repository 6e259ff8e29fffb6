-- Locks p_table in a mode that others must wait for, in short tries: whoever comes while one waits is held up for
-- p_patience at most, and between two tries nobody is. lock_not_available after p_seconds. The caller holds no row locks
-- that others could be waiting for.
create or replace function mnemo.lock_patiently(p_mode text, p_patience interval, p_seconds double precision, p_table regclass default 'mnemo.memory') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_begun  timestamptz := clock_timestamp();
    v_before text := current_setting('lock_timeout');
    v_tries  integer := 0;
begin
    loop
        begin
            perform set_config('lock_timeout', (extract(epoch from p_patience) * 1000)::integer || 'ms', true);
            execute format('lock table only %s in %s mode', p_table, p_mode);
            perform set_config('lock_timeout', v_before, true);
            return;
        exception when lock_not_available then
            if extract(epoch from clock_timestamp() - v_begun) >= p_seconds then
                raise;
            end if;
            v_tries := v_tries + 1;
            perform pg_sleep(least(0.01 * v_tries, 0.1));
        end;
    end loop;
end
$$;
