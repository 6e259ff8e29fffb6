-- Moves memories to a slower tier and returns how many moved; see mnemo.move_memories.
-- MN002 when one of them is in a slower tier already.
create or replace function mnemo.demote(ids uuid[], tier text default 'warm') returns integer
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.check_direction(ids, tier, 'demote');
    select mnemo.move_memories(ids, tier);
$$;
