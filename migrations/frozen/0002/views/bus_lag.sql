-- How far behind each subscription is. It counts the events, one by one.
create or replace view mnemo.bus_lag as
select s.name as subscription, s.topics, coalesce(b.events, 0) as backlog,
       extract(epoch from mnemo.now() - least(b.oldest, p.oldest))::double precision as oldest_seconds,
       l.lanes as leased, coalesce(p.events, 0) as parked, (select count(*) from mnemo.dead_letter d where d.subscription = s.id) as dead
from mnemo.subscription s
cross join lateral (
    select count(*) as events, min(u.at) as oldest
    from mnemo.event_cursor c
    cross join lateral mnemo.undelivered_events(c, s.topics) as u
    where c.subscription = s.id
) as b
cross join lateral (
    select count(*) as lanes from mnemo.event_cursor c where c.subscription = s.id and c.leased_until > mnemo.now()
) as l
cross join lateral (
    select count(*) as events, min(r.at) as oldest from mnemo.event_retry r where r.subscription = s.id
) as p;

comment on view mnemo.bus_lag is 'How far behind each subscription is; events of all tenants.';
comment on column mnemo.bus_lag.backlog is 'Events of the log still to be done; parked ones not among them.';
comment on column mnemo.bus_lag.oldest_seconds is 'Age of the oldest event to be done, parked or not; null: there is none.';
comment on column mnemo.bus_lag.leased is 'Lanes, of 64, that consumers work on now.';
comment on column mnemo.bus_lag.parked is 'Events that failed and will be tried again, and those waiting behind them.';
comment on column mnemo.bus_lag.dead is 'Dead letters.';
