-- The k memories that answer a question best: a text, its embedding, values of roles (mnemo.encode_query; hdv is the
-- question's hypervector where the caller has it already). The nearest memories are found as mnemo.search does, exact
-- comparing all, then ranked anew by the collection's ranking (mnemo.ranking) and, unless exact or mnemo.learning is off,
-- by what this context's recent recalls predict (mnemo.rerank). score_terms: what the score is the sum of. In order of
-- score, then of distance and id. archive and fetched: as mnemo.search takes them. Records the access of each hit, as mnemo.recall does; where nothing may be written,
-- call mnemo.search_text.
create or replace function mnemo.recall_text(
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
language plpgsql volatile
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant  text := mnemo.tenant();
    v_context text := recall_text.context;
    v_hdv     bit varying := coalesce(recall_text.hdv, mnemo.encode_query(
        recall_text.query, recall_text.collection, recall_text.context, recall_text.embedding, recall_text.roles));
    v_learned boolean;
    v_hits    mnemo.hit[];
begin
    v_learned := recall_text.exact is not true and mnemo.learning()
        and mnemo.is_focused(v_tenant, v_context);
    select r.hits, r.shared into v_hits, v_context
    from mnemo.rank_text(v_hdv, recall_text.query, recall_text.embedding, recall_text.k, recall_text.collection,
                         recall_text.context, recall_text.filter, recall_text.exact, v_learned, recall_text.archive,
                         recall_text.fetched) as r;
    if v_learned and v_context is not null and v_hits <> '{}' then
        select r.hits into v_hits
        from mnemo.rerank(v_hits, v_hdv, recall_text.k, recall_text.collection, v_context, recall_text.filter) as r;
    end if;
    v_hits := v_hits[1 : recall_text.k];
    if v_hits <> '{}' then
        perform mnemo.log_access(v_hits, v_tenant, v_context);
    end if;
    return query select h.* from unnest(v_hits) as h;
end
$$;
