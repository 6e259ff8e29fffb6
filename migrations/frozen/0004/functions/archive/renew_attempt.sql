-- A sign of life: the lease of an attempt starts anew. MN012 when it is no longer under way.
create or replace function mnemo.renew_attempt(attempt uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_until timestamptz := clock_timestamp() + make_interval(secs => mnemo.setting('archive_lease_seconds'));
begin
    perform mnemo.require_attempt(renew_attempt.attempt);
    update mnemo.segment s set lease_until = v_until where s.attempt = renew_attempt.attempt;
    update mnemo.copy_attempt c set lease_until = v_until where c.attempt = renew_attempt.attempt;
end
$$;
