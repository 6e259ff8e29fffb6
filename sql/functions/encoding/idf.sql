-- idf(memories, holding): how telling a word is that `holding` of so many memories hold, in 1/256 octaves: log2 of
-- (2 memories + 2) / (2 holding + 1), and 1/8 octave at least: a word that all hold still says something.
create or replace function mnemo.idf(p_memories bigint, p_holding bigint) returns integer
language sql immutable strict parallel safe
as $$
    select greatest(32, mnemo.log2(2 * p_memories + 2) - mnemo.log2(2 * least(p_holding, p_memories) + 1))
$$;
