-- encode_text(text, collection): the hypervector of a text as the collection's built-in encoder makes it: the lexical
-- encoder, version 1, equal to Python's LexicalEncoder. Null for null text; MN002 where the text is empty or nothing
-- but space; MN004 where there is no such collection.
create or replace function mnemo.encode_text(text text, collection text default 'memories') returns bit
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.collection(encode_text.collection);
    return mnemo.encode_lexical(encode_text.text);
end
$$;
