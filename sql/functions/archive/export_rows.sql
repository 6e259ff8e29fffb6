-- Memories of a segment with all that is to be written of them, in the order of p_ids. Read in the snapshot that
-- mnemo.export_sketches was read in.
create or replace function mnemo.export_rows(p_segment integer, p_ids uuid[])
returns table (
    id             uuid,
    bucket         smallint,
    tenant         text,
    collection     text,
    key            text,
    context        text,
    session        text,
    occurred_at    timestamptz,
    created_at     timestamptz,
    content        text,
    attributes     jsonb,
    encoded        "char",
    strength       real,
    strength_at    timestamptz,
    last_access    timestamptz,
    access_count   bigint,
    expires_at     timestamptz,
    content_sha256 bytea,
    embedding      bytea,
    hdv            bit varying
)
language sql stable
rows 1000
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    select m.id, m.bucket, m.tenant, m.collection, m.key, m.context, m.session, m.occurred_at, m.created_at, m.content, m.attributes,
           m.encoded, a.ltp, a.ltp_at, a.last_access, a.access_count, a.expires_at, mnemo.content_hash(m), m.embedding, m.hdv
    from unnest(p_ids) with ordinality as w (id, place)
    join mnemo.memory m on m.segment = p_segment and m.bucket = mnemo.bucket_of(w.id) and m.id = w.id
    join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment
    order by w.place
$$;
