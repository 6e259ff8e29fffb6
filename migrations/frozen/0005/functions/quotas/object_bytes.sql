-- The bytes of a memory that leave with it for the archive: hypervector, content (UTF-8) and embedding.
create or replace function mnemo.object_bytes(p_content text, p_embedding bytea) returns integer
language sql immutable parallel safe
as $$
    select {bits} / 8 + octet_length(p_content) + coalesce(octet_length(p_embedding), 0)
$$;
