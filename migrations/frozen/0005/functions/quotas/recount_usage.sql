-- Counts what a tenant stores, and sets the counters of its quota right; returns by how much they were off, 0 and 0 as long
-- as only these functions write. No row where it has no quota. Called by members of mnemo_owner.
-- Nobody waits for the count: count and counters are read in one snapshot, and what they differ by is no different after
-- whatever others write meanwhile, since they change both.
create or replace function mnemo.recount_usage(tenant text) returns table (memories bigint, bytes bigint)
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    select u.memories - q.memories_used, u.bytes - q.bytes_used into memories, bytes
    from mnemo.quota q
    cross join lateral mnemo.counted_usage(q.tenant) as u
    where q.tenant = recount_usage.tenant;
    if found then
        perform mnemo.correct_usage(recount_usage.tenant, memories, bytes);
        return next;
    end if;
end
$$;
