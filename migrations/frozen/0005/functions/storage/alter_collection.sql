-- Changes the weights of a collection's second stage: those given; the others stay as they are. Returns the ranking as it
-- is now. Its memories are as they were: the next recall is ranked by it. MN002 for a bad weight (mnemo.ranking), MN004
-- collection. Locks the collection's row.
create or replace function mnemo.alter_collection(name text, ranking jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ranking jsonb;
begin
    perform mnemo.ranking(alter_collection.ranking);
    update mnemo.collection c
    set ranking = mnemo.ranking(c.ranking || alter_collection.ranking)
    where c.name = alter_collection.name
    returning c.ranking into v_ranking;
    if not found then
        perform mnemo.collection(alter_collection.name);
    end if;
    perform mnemo.record_audit('collection.alter', alter_collection.name, jsonb_build_object('ranking', v_ranking), '');
    return v_ranking;
end
$$;
