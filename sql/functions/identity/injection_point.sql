-- Marks a step between whose two sides a crash must lose nothing. It does nothing, unless the setting
-- mnemo.injection_point names it: then it waits for an advisory lock, however short the lock_timeout, so that a test can
-- kill the server right there.
create or replace function mnemo.injection_point(p_name text) returns void
language plpgsql volatile
as $$
declare
    v_before text;
begin
    if current_setting('mnemo.injection_point', true) = p_name then
        v_before := current_setting('lock_timeout');
        perform pg_catalog.set_config('lock_timeout', '0', true);
        perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('mnemo.injection_point'), pg_catalog.hashtext(p_name));
        perform pg_catalog.set_config('lock_timeout', v_before, true);
    end if;
end
$$;
