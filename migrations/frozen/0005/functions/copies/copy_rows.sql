-- What an attempt copies, as one snapshot has it: memories in the tiers whole; of archived ones the attributes alone, since the
-- rest is in the objects of their segment (content and hdv null); of forgotten ones that they are, and since when (occurred_at).
-- A memory that is nowhere and that the queue does not call forgotten is left out: it was forgotten since, which the queue
-- will say, or it was lost, and then an older copy must stay the last. Left out are tenants that may not be in this store.
create or replace function mnemo.copy_rows(p_attempt uuid)
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
    hdv            bit varying,
    tier           text,
    pinned         boolean,
    forgotten      boolean
)
language sql stable
rows 1000
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    with queued as materialized (
        select u.id, u.bucket, min(u.tenant) as tenant, bool_or(u.forgotten) as forgotten, max(u.at) as at
        from mnemo.copy_attempt c
        cross join unnest(c.seqs) as t (seq)
        join mnemo.uncopied u on u.seq = t.seq
        where c.attempt = p_attempt
        group by u.id, u.bucket
    )
    select m.id, m.bucket, m.tenant, m.collection, m.key, m.context, m.session, m.occurred_at, m.created_at, m.content, m.attributes,
           m.encoded, a.ltp, a.ltp_at, a.last_access, a.access_count, a.expires_at, mnemo.content_hash(m), m.embedding, m.hdv,
           a.tier, a.pinned, false
    from queued q
    join mnemo.activity a on a.bucket = q.bucket and a.id = q.id
    join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id
    where m.tenant <> all (mnemo.held_tenants())
    union all
    select m.id, m.bucket, m.tenant, m.collection, m.key, m.context, m.session, m.occurred_at, m.created_at, null, m.attributes,
           null, m.ltp, m.ltp_at, m.last_access, m.access_count, m.expires_at, null, null, null, 'archive', false, false
    from queued q
    join mnemo.archived_memory m on m.bucket = q.bucket and m.id = q.id
    where m.tenant <> all (mnemo.held_tenants())
    union all
    select q.id, q.bucket, q.tenant, null, null, null, null, q.at, null, null, null,
           null, null, null, null, null, null, null, null, null, null, false, true
    from queued q
    where q.forgotten and q.tenant <> all (mnemo.held_tenants())
    order by 1
$$;
