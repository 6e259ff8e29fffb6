-- encode_value(value, collection): the hypervector of a value of a role, not bound with the role yet: what mnemo.probe looks
-- for, and what to keep in the item memory, mnemo.item(value, mnemo.encode_value(value)), so that mnemo.cleanup finds the
-- value in a memory unbound from the role. Null where the value has no words; MN002 for a collection that is no composite.
create or replace function mnemo.encode_value(value text, collection text default 'memories') returns bit
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(encode_value.collection);
begin
    if v_collection.encoder <> 'composite' then
        raise exception 'collection % has no roles', quote_literal(v_collection.name) using errcode = 'MN002';
    end if;
    return mnemo.value_hypervector(encode_value.value, v_collection.encoding);
end
$$;
