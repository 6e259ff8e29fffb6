-- Settles leased events: those of `done` are acknowledged; those of `failed`, each with its error, are parked and
-- tried again later, or are dead letters after the last attempt. Events of a context behind a failed one are parked
-- with it: do not work on them. All others, from the first one that is left out on, are delivered again.
-- The lane is free after it, or, with `keep`, leased anew for what is left. MN012 when the lease is no longer yours:
-- then nothing has changed, and what was done is delivered to others again. MN002 for events that are not leased.
-- Lock: the cursor of the lane.
create or replace function mnemo.complete_events(
    subscription text, lane integer, lease bigint, done bigint[], failed bigint[] default '{}', errors text[] default '{}',
    keep boolean default false
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not mnemo.settle_lane(mnemo.subscription_named(subscription), lane, lease, coalesce(done, '{}'), coalesce(failed, '{}'),
                             coalesce(errors, '{}'), coalesce(keep, false)) then
        raise exception 'lane % of subscription % is not leased under %', lane, quote_literal(subscription), lease
            using errcode = 'MN012', hint = 'A batch has to be settled within the visibility of its subscription.';
    end if;
end
$$;
