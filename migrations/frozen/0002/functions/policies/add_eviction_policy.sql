-- Adds a policy that keeps a tier within a capacity, in memories or bytes, by moving to to_tier those least recently used
-- (lru), least often used (lfu), longest there (fifo) or weakest (ltp).
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_eviction_policy(
    name           text,
    tier           text,
    to_tier        text,
    capacity_rows  bigint default null,
    capacity_bytes bigint default null,
    rule           text default 'lru',
    collection     text default null,
    minimum_stay   interval default '0',
    reason         text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'eviction', tier, to_tier, collection, rule, null, null, null, null, capacity_rows, capacity_bytes, minimum_stay, true, mnemo.now())::mnemo.policy, reason)
$$;
