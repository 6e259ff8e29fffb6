-- Notes that objects are needed no more that were written, or about to be, by attempts which are no longer under way; they
-- stay for the grace period, as somebody who has lost an attempt without knowing it may write one yet. Forgets objects of
-- other databases that were needed no more so long ago. Returns how many there were of both.
create or replace function mnemo.abandon_objects() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_left    bigint;
    v_foreign bigint;
begin
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.state in ('writing', 'stored')
      and not exists (select from mnemo.referenced_object r where r.key = o.key)
      and not exists (select from mnemo.open_attempt a where a.attempt = o.attempt);
    get diagnostics v_left = row_count;
    delete from mnemo.object o
    where o.state = 'dropped' and o.owner <> (select i.database from mnemo.identity i where i.is_current)
      and o.changed_at <= clock_timestamp() - make_interval(secs => 86400 * mnemo.setting('archive_grace_days'))
      and not exists (select from mnemo.referenced_object r where r.key = o.key);
    get diagnostics v_foreign = row_count;
    perform mnemo.injection_point('gc.abandoned');
    return v_left + v_foreign;
end
$$;
