-- Locks mnemo.memory in a mode that others must wait for, in short tries: whoever comes while one waits is held up for
-- p_patience at most, and somebody who holds the table for long is waited for without holding up anyone else.
-- lock_not_available after a hundred tries. The caller holds no row locks that others could be waiting for.
create or replace function mnemo.lock_patiently(p_mode text, p_patience interval) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before text := current_setting('lock_timeout');
begin
    for v_try in 1..100 loop
        begin
            perform set_config('lock_timeout', (extract(epoch from p_patience) * 1000)::integer || 'ms', true);
            execute format('lock table only mnemo.memory in %s mode', p_mode);
            perform set_config('lock_timeout', v_before, true);
            return;
        exception when lock_not_available then
            perform pg_sleep(least(0.01 * v_try, 0.5));
        end;
    end loop;
    raise exception 'mnemo.memory could not be locked: somebody has used it in one transaction all the time'
        using errcode = 'lock_not_available', hint = 'Nothing has moved; the next consolidation tries again.';
end
$$;
