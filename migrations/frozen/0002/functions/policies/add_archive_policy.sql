-- Adds a policy that announces cold segments none of whose memories was used for as long as `after`, so that they
-- leave for object storage.
-- Returns the number of the change. MN002 for what contradicts itself or takes another policy's place.
create or replace function mnemo.add_archive_policy(
    name   text,
    after  interval default '30 days',
    reason text default 'added by hand'
) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.add_policy(row(name, 'archive', 'cold', null, null, 'idle', null, after, null, null, null, null, interval '0', true, mnemo.now())::mnemo.policy, reason)
$$;
