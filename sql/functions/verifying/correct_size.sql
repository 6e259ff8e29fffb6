-- Notes how many bytes an object has, whose content was found to be what was written.
create or replace function mnemo.correct_size(key text, bytes bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update mnemo.object o set bytes = correct_size.bytes where o.key = correct_size.key
$$;
