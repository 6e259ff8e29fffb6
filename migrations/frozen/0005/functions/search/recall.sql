-- mnemo.search, ranked by what this context's recent recalls predict (mnemo.rerank) unless exact or mnemo.learning is
-- off, and the access of each hit recorded in mnemo.access_log: one row, no lock, nothing to wait for.
-- score_terms: what the score is the sum of. In order of score, then of distance and id.
-- archive and fetched: as mnemo.search takes them. It writes: in a read-only transaction, or on a replica, call mnemo.search.
create or replace function mnemo.recall(
    query      bit varying,
    k          integer default 10,
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}',
    exact      boolean default false,
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
language plpgsql volatile
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant  text := mnemo.tenant();
    v_context text := recall.context;
    v_hits    mnemo.hit[];
begin
    v_hits := array(
        select row(s.memory_id, s.key, s.tier, s.distance, s.similarity, s.score, s.content, s.attributes, s.created_at,
                   jsonb_build_object('similarity', s.similarity), s.estimated)::mnemo.hit
        from mnemo.search(recall.query, recall.k, recall.collection, recall.context, recall.filter, recall.exact, recall.archive,
                          recall.fetched) as s);
    if recall.exact is not true and v_hits <> '{}' and mnemo.learning()
       and mnemo.is_focused(v_tenant, v_context) then
        select r.hits, r.shared into v_hits, v_context
        from mnemo.rerank(v_hits, recall.query, recall.k, recall.collection, recall.context, recall.filter) as r;
    end if;
    if v_hits <> '{}' then
        perform mnemo.log_access(v_hits, v_tenant, v_context);
    end if;
    return query select h.* from unnest(v_hits) as h;
end
$$;
