-- Moves memories to a faster tier and returns how many moved; see mnemo.move_memories.
-- MN002 when one of them is in a faster tier already.
create or replace function mnemo.promote(ids uuid[], tier text default 'hot') returns integer
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.check_direction(ids, tier, 'promote');
    select mnemo.move_memories(ids, tier);
$$;
