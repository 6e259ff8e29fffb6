-- SHA-256 of what a memory says: every column but segment, hdv and embedding. Moves leave it as it is, so that two
-- databases, or one before and after a crash, a move or a restore, can be compared memory by memory.
-- Where a memory lies is no part of it, and neither are the hypervector and the embedding: both are derived from the
-- content, and are made anew when the encoder changes or what stands around a memory becomes known.
-- What is hashed is the text of a JSON array, in which no two memories look alike; times are microseconds since 1970, whatever
-- the session's time zone.
create or replace function mnemo.content_hash(m mnemo.memory) returns bytea
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select sha256(convert_to(jsonb_build_array(
        m.id, m.bucket, m.tenant, m.collection, m.key, m.context, m.session, m.content, m.attributes,
        extract(epoch from m.occurred_at)::text, extract(epoch from m.created_at)::text)::text, 'UTF8'))
$$;
