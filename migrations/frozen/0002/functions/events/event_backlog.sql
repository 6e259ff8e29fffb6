-- How many events a subscription has still to do: those of the log, and the parked ones. It counts them one by one.
create or replace function mnemo.event_backlog(p_subscription integer) returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
    select (select count(*)
            from mnemo.subscription s
            join mnemo.event_cursor c on c.subscription = s.id
            cross join lateral mnemo.undelivered_events(c, s.topics)
            where s.id = p_subscription)
         + (select count(*) from mnemo.event_retry r where r.subscription = p_subscription)
$$;
