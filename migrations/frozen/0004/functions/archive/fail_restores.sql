-- Notes why memories could not be restored; they are tried again after a wait that doubles with each failure, from 10
-- seconds to an hour.
create or replace function mnemo.fail_restores(ids uuid[], error text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from mnemo.restore_request r where r.id = any (fail_restores.ids) order by r.bucket, r.id for update of r;
    update mnemo.restore_request r
    set failures = r.failures + 1, error = left(fail_restores.error, 2000),
        retry_at = clock_timestamp() + least(interval '10 seconds' * power(2, least(r.failures, 20)), interval '1 hour')
    where r.id = any (fail_restores.ids);
    perform mnemo.injection_point('restore.failed');
end
$$;
