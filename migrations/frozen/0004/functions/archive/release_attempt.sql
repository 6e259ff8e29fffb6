-- Lets go of an attempt: whoever comes next goes on with it at once. For a worker that is told to stop; it is no failure.
-- MN012 when it is no longer under way.
create or replace function mnemo.release_attempt(attempt uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.require_attempt(release_attempt.attempt);
    update mnemo.segment s set lease_until = clock_timestamp() where s.attempt = release_attempt.attempt;
    update mnemo.copy_attempt c set lease_until = clock_timestamp() where c.attempt = release_attempt.attempt;
end
$$;
