-- The bytes of a memory that stay when it is archived: what it is found by. Attributes count as their JSON text.
create or replace function mnemo.kept_bytes(p_context text, p_session text, p_key text, p_attributes jsonb) returns integer
language sql immutable parallel safe
as $$
    select coalesce(octet_length(p_context), 0) + coalesce(octet_length(p_session), 0) + coalesce(octet_length(p_key), 0)
           + octet_length(p_attributes::text)
$$;
