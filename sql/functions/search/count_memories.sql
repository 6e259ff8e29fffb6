-- How many memories of a collection match the filter.
create or replace function mnemo.count_memories(collection text default 'memories', filter jsonb default '{}') returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_path jsonpath := mnemo.filter_jsonpath(filter);
begin
    perform mnemo.collection(collection);
    return (
        select count(*) from mnemo.memory m
        where m.tenant = (select mnemo.tenant()) and m.collection = count_memories.collection
          and (v_path is null or m.attributes @@ v_path));
end
$$;
