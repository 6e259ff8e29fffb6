-- Notes why an attempt failed. It stays under way, for whoever comes after a wait that doubles with each failure, from 10
-- seconds to an hour. MN012 when it is no longer under way.
create or replace function mnemo.fail_attempt(attempt uuid, error text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.require_attempt(fail_attempt.attempt);
    update mnemo.segment s
    set failures = s.failures + 1, error = left(fail_attempt.error, 2000),
        lease_until = clock_timestamp() + least(interval '10 seconds' * power(2, least(s.failures, 20)), interval '1 hour')
    where s.attempt = fail_attempt.attempt;
    update mnemo.copy_attempt c
    set failures = c.failures + 1, error = left(fail_attempt.error, 2000),
        lease_until = clock_timestamp() + least(interval '10 seconds' * power(2, least(c.failures, 20)), interval '1 hour')
    where c.attempt = fail_attempt.attempt;
end
$$;
