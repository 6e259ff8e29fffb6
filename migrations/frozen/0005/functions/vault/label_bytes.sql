-- The bytes of what a vault item is found by, as a quota counts them: its name, and its metadata as JSON text.
create or replace function mnemo.label_bytes(p_name text, p_metadata jsonb) returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(octet_length(p_name), 0)::bigint + octet_length(p_metadata::text)
$$;
