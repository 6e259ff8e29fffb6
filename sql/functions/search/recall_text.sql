-- mnemo.recall with a text, encoded as the collection encodes its memories.
create or replace function mnemo.recall_text(
    query      text,
    k          integer default 10,
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}',
    exact      boolean default false
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
        mnemo.bind_context(mnemo.collection(recall_text.collection),
                           mnemo.encode_text(recall_text.query, recall_text.collection), recall_text.context),
        recall_text.k, recall_text.collection, recall_text.context, recall_text.filter, recall_text.exact) as r
$$;
