-- fold(text): the text as the lexical encoder compares it. Case, accents, points, invisible characters and the width of
-- a letter fall away; é is e however it is written; whatever is neither a letter, a digit nor a symbol like an emoji
-- may become a space. Equal to Python's `fold`, character for character. Null for null.
create or replace function mnemo.fold(p_text text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    v_dropped text := '[' || mnemo.character_class('dropped') || ']+';
    v_text text;
begin
    if octet_length(p_text) = length(p_text) then
        return lower(p_text collate "C");
    end if;
    v_text := regexp_replace(p_text collate "C", v_dropped, '', 'g');
    -- Characters that Unicode 14 does not know go first: the rest folds and normalises alike in every later version.
    v_text := regexp_replace(v_text, '[^' || mnemo.character_class('kept') || ']+', ' ', 'g');
    -- Sorting combining marks takes the square of their number; no writing stacks eight.
    v_text := regexp_replace(v_text, '[' || mnemo.character_class('stacking') || ']{8,}', '', 'g');
    v_text := casefold(normalize(v_text, nfkd) collate pg_unicode_fast);
    return normalize(regexp_replace(v_text collate "C", v_dropped, '', 'g'), nfkc);
end
$$;
