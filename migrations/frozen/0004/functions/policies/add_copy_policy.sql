-- Adds the policy that has every memory copied to object storage within `after` of being written, changed or forgotten, those
-- there are already first; mnemo worker does it. There is one such policy.
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_copy_policy(
    name   text,
    after  interval default '5 minutes',
    reason text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'copy', null, null, null, 'age', null, after, null, null, null, null, interval '0', true, mnemo.now())::mnemo.policy, reason)
$$;
