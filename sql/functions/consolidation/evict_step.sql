-- Moves the next memories out of a tier that holds more than the capacity of its eviction policy: the least recently
-- used (lru), least often used (lfu), longest there (fifo) or weakest (ltp); pinned ones, and those that must stay a
-- while yet, are passed over. Returns how many moved, 0 when every tier is within its capacity or nobody can leave.
create or replace function mnemo.evict_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy  mnemo.policy;
    v_victims uuid[];
    v_moved   bigint;
begin
    perform mnemo.lock_for_writing();
    for v_policy in select * from mnemo.policy p where p.kind = 'eviction' and p.enabled order by p.tier, p.collection nulls last, p.name loop
        v_victims := mnemo.eviction_victims(v_policy, mnemo.setting('move_batch_rows')::integer);
        begin
            -- Locked in order; one that somebody else holds is passed over.
            v_victims := array(
                select a.id from mnemo.activity a
                join unnest(v_victims) as w (id) on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
                where a.tier = v_policy.tier and not a.pinned
                order by a.bucket, a.id
                for update of a skip locked);
            if v_victims = '{}' then
                raise no_data_found;
            end if;
        exception
            -- Rolled back: a row that was locked, and then was not wanted, must not be held when a partition is built next.
            when no_data_found then
                continue;
        end;
        perform mnemo.injection_point('evict.locked');
        v_moved := mnemo.move_locked(v_victims, mnemo.segment_of_tier(v_policy.to_tier), v_policy.name, 'capacity');
        return v_moved;
    end loop;
    return 0;
end
$$;
