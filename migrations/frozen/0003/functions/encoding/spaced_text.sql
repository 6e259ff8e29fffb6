-- spaced_text(text): the text folded, with one space before, between and after its words, so that a word of
-- mnemo.tokens is found as ' word '. Runs without spaces and symbols stand between spaces, too.
create or replace function mnemo.spaced_text(p_text text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    v_text text := mnemo.fold(p_text);
begin
    if octet_length(v_text) = length(v_text) then
        return regexp_replace(' ' || v_text || ' ' collate "C", '[^a-z0-9]+', ' ', 'g');
    end if;
    v_text := regexp_replace(' ' || v_text || ' ' collate "C", '[^' || mnemo.character_class('word') || mnemo.character_class('continuous')
                             || mnemo.character_class('symbol') || ']+', ' ', 'g');
    return regexp_replace(v_text, '[' || mnemo.character_class('continuous') || ']+|[' || mnemo.character_class('symbol') || ']', ' \& ', 'g');
end
$$;
