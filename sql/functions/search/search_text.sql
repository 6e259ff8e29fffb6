-- mnemo.recall_text without a trace: it records no access, and ranks by nothing learned. For replicas, read-only
-- transactions and measurements.
create or replace function mnemo.search_text(
    query      text,
    k          integer default 10,
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}',
    exact      boolean default false,
    embedding  real[] default null,
    roles      jsonb default '{}',
    hdv        bit varying default null,
    archive    boolean default false,
    fetched    mnemo.memory[] default null
) returns table (
    memory_id  uuid,
    key        text,
    tier       text,
    distance   integer,
    similarity double precision,
    score      double precision,
    content    text,
    attributes jsonb,
    created_at timestamptz,
    score_terms jsonb,
    estimated  boolean
)
language sql stable
rows 10
set search_path = pg_catalog, pg_temp
as $$
    select h.*
    from mnemo.rank_text(
        coalesce(search_text.hdv,
                 mnemo.encode_query(search_text.query, search_text.collection, search_text.context, search_text.embedding, search_text.roles)),
        search_text.query, search_text.embedding, search_text.k, search_text.collection, search_text.context, search_text.filter,
        search_text.exact, false, search_text.archive, search_text.fetched) as r,
        unnest(r.hits) as h
$$;
