-- events: no dead letters, and no subscription so far behind that publishing, and with it remembering, may soon be refused.
create or replace function mnemo.doctor_events() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('events', 'warn',
        string_agg(case
            when l.backlog > 0.5 * mnemo.setting('event_backlog_most')
                then format('subscription %s is %s events behind, of %s allowed', l.subscription, l.backlog, mnemo.setting('event_backlog_most'))
            else format('subscription %s has given up %s events', l.subscription, l.dead)
        end, '; ' order by l.subscription) filter (where l.dead > 0 or l.backlog > 0.5 * mnemo.setting('event_backlog_most')),
        format('subscriptions: %s', count(*)),
        'start more consumers; mnemo.dead_letters says why events failed, mnemo.replay_dead_letters(subscription) tries them again; '
        'mnemo.unsubscribe(name) ends a subscription that nobody needs')
    from mnemo.bus_lag l
$$;
