-- Gives an attempt another folder, and returns its new name: an object in the old one is not what was written there, and no
-- object is ever overwritten. What is in the old one is needed no more. MN012 when it is no longer under way.
-- Invariant kept: whoever works under the old name has lost it (MN012).
create or replace function mnemo.restart_attempt(attempt uuid) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempt uuid := gen_random_uuid();
begin
    perform mnemo.require_attempt(restart_attempt.attempt);
    perform mnemo.drop_objects(restart_attempt.attempt);
    update mnemo.segment s set attempt = v_attempt where s.attempt = restart_attempt.attempt;
    update mnemo.copy_attempt c set attempt = v_attempt where c.attempt = restart_attempt.attempt;
    perform mnemo.injection_point('archive.restarted');
    return v_attempt;
end
$$;
