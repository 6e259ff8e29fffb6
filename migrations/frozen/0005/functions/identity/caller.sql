-- Who really calls: the role that logged in, or the one it has SET ROLE to; the same inside functions that run as their owner.
create or replace function mnemo.caller() returns name
language sql stable parallel safe
as $$
    select case when current_setting('role') = 'none' then session_user else current_setting('role')::name end
$$;
