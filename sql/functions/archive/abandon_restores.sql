-- Gives up restores of whole segments whose workers have not been heard of since their lease ended: the segments are archived
-- as before. Returns how many.
create or replace function mnemo.abandon_restores() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_done bigint;
begin
    update mnemo.segment s
    set state = 'archived', attempt = null, lease_until = null
    where s.segment = any (array(
        select q.segment from mnemo.segment q
        where q.state = 'restoring' and q.lease_until <= clock_timestamp()
        order by q.segment for update skip locked));
    get diagnostics v_done = row_count;
    perform mnemo.injection_point('restore.abandoned');
    return v_done;
end
$$;
