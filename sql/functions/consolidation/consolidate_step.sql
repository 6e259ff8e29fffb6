-- The next short transaction of a consolidation: counts accesses; then computes deadlines again where the rules have
-- changed; then promotes, demotes by decay or disuse, evicts from what is over its capacity, and merges partitions.
-- Returns how many rows it dealt with, 0 when nothing is left to do. Several sessions may run it at once: they share the
-- work.
create or replace function mnemo.consolidate_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_done bigint;
begin
    v_done := mnemo.fold_accesses();
    if v_done = 0 then
        v_done := mnemo.recompute_step();
    end if;
    if v_done = 0 then
        v_done := mnemo.promote_step();
    end if;
    if v_done = 0 then
        v_done := mnemo.demote_in_bulk('hot');
    end if;
    if v_done = 0 then
        v_done := mnemo.demote_step('hot');
    end if;
    if v_done = 0 then
        v_done := mnemo.demote_in_bulk('warm');
    end if;
    if v_done = 0 then
        v_done := mnemo.demote_step('warm');
    end if;
    if v_done = 0 then
        v_done := mnemo.evict_step();
    end if;
    if v_done = 0 then
        v_done := mnemo.merge_step();
    end if;
    return v_done;
end
$$;
