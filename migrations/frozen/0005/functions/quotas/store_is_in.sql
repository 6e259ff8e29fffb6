-- Whether a store, by its URL, is one of those named, or lies in a folder of one: s3://eu/mnemo is in s3://eu, and
-- s3://eu-2/mnemo is not.
create or replace function mnemo.store_is_in(p_store text, p_stores text[]) returns boolean
language sql immutable parallel safe
as $$
    select p_store !~ '(^|/)[.][.]?(/|$)'
       and exists (select from unnest(p_stores) as s (url) where starts_with(rtrim(p_store, '/') || '/', rtrim(s.url, '/') || '/'))
$$;
