-- Adds a policy that forgets memories for good, however strong, once they are older than `after`: counted from their
-- writing, or, where a tier is named, from their entry into it. It is a control apart from decay, which only moves.
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_ttl_policy(
    name       text,
    after      interval,
    collection text default null,
    tier       text default null,
    reason     text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'ttl', tier, null, collection, 'age', null, after, null, null, null, null, interval '0', true, mnemo.now())::mnemo.policy, reason)
$$;
