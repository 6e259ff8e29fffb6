-- Adds a policy that moves memories to a faster tier after use: rule 'ltp', when their strength reaches the threshold
-- (null: that of to_tier); rule 'accesses', after so many accesses in this tier, the last within `within`.
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_promotion_policy(
    name         text,
    tier         text,
    to_tier      text,
    rule         text default 'ltp',
    threshold    double precision default null,
    accesses     integer default null,
    within       interval default null,
    collection   text default null,
    minimum_stay interval default '1 hour',
    reason       text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'promotion', tier, to_tier, collection, rule, threshold, null, accesses, within, null, null, minimum_stay, true, mnemo.now())::mnemo.policy, reason)
$$;
