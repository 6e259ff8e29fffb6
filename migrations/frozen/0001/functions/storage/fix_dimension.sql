-- The collection, its dimension fixed by the first embedding written to it. MN006 when it takes another dimension.
create or replace function mnemo.fix_dimension(p_collection text, p_dimension integer) returns mnemo.collection
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(p_collection);
begin
    if v_collection.dimension is null and p_dimension > 0 then
        update mnemo.collection c set dimension = p_dimension where c.name = p_collection and c.dimension is null;
        v_collection := mnemo.collection(p_collection);
    end if;
    if v_collection.dimension is distinct from p_dimension then
        raise exception 'embedding has % dimensions, collection % takes %',
            p_dimension, quote_literal(p_collection), coalesce(v_collection.dimension::text, 'at least 1') using errcode = 'MN006';
    end if;
    return v_collection;
end
$$;
