-- mnemo.recall with a question: a text, its embedding, values of roles (mnemo.encode_query).
create or replace function mnemo.recall_text(
    query      text,
    k          integer default 10,
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}',
    exact      boolean default false,
    embedding  real[] default null,
    roles      jsonb default '{}'
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
    score_terms jsonb
)
language sql volatile
rows 10
set search_path = pg_catalog, pg_temp
as $$
    select r.*
    from mnemo.recall(
        mnemo.encode_query(recall_text.query, recall_text.collection, recall_text.context, recall_text.embedding, recall_text.roles),
        recall_text.k, recall_text.collection, recall_text.context, recall_text.filter, recall_text.exact) as r
$$;
