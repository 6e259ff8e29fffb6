-- Takes an archived segment to restore it as a whole and returns its row with an attempt, or goes on with one whose worker has
-- not been heard of since its lease ended. No row while somebody else is at it. MN010 for what is no archived segment.
create or replace function mnemo.begin_restore(worker text, segment integer) returns setof mnemo.segment
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    perform from mnemo.archive r where r.segment = begin_restore.segment;
    if not found then
        raise exception 'there is no archived segment %', coalesce(segment::text, 'null') using errcode = 'MN010';
    end if;
    return query
    update mnemo.segment s
    set state = 'restoring', attempt = coalesce(s.attempt, gen_random_uuid()), worker = begin_restore.worker,
        lease_until = clock_timestamp() + make_interval(secs => mnemo.setting('archive_lease_seconds'))
    where s.segment = begin_restore.segment
      and (s.state = 'archived' or s.state = 'restoring' and s.lease_until <= clock_timestamp())
    returning s.*;
    perform mnemo.injection_point('restore.begun');
end
$$;
