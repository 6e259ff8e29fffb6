-- encode_text(text, collection): the hypervector of a text as a memory of the collection with nothing around it: its words,
-- weighed by the collection's statistics, or what the lexical encoder makes of it where the collection has that. Equal
-- to Python's encoders bit for bit. Null for null text; MN002 where the text is empty or nothing but space; MN004 where
-- there is no such collection.
create or replace function mnemo.encode_text(text text, collection text default 'memories') returns bit
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(encode_text.collection);
begin
    if encode_text.text is null then
        return null;
    elsif v_collection.encoder = 'lexical' then
        return mnemo.encode_lexical(encode_text.text);
    end if;
    return mnemo.encode_members(v_collection, array[encode_text.text], array[null::bytea], array[256], null, null);
end
$$;
