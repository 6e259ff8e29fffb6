-- Adds a policy that moves memories from a tier to a slower one: rule 'ltp', once their strength falls below the
-- threshold (null: that of the tier); rule 'idle', once nobody used them for as long as `after`.
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_tier_policy(
    name         text,
    tier         text,
    to_tier      text,
    rule         text default 'ltp',
    threshold    double precision default null,
    after        interval default null,
    collection   text default null,
    minimum_stay interval default '1 hour',
    reason       text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'tier', tier, to_tier, collection, rule, threshold, after, null, null, null, null, minimum_stay, true, mnemo.now())::mnemo.policy, reason)
$$;
