-- The lane of an event, 0 to 63: by tenant and context; without a context by the memory, else in turns.
create or replace function mnemo.event_lane(p_tenant text, p_context text, p_memory_id uuid, p_seq bigint) returns smallint
language sql immutable parallel safe
as $$
    select (coalesce(hashtextextended(p_context, hashtextextended(p_tenant, 0)), uuid_hash_extended(p_memory_id, 0), p_seq) & 63)::smallint
$$;
