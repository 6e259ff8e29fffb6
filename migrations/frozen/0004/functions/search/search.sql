-- The k memories of this tenant nearest to a hypervector, nearest first; ties by id. Reads one snapshot and writes
-- nothing, so it can run on a replica. Tiers are searched hot, warm, cold; the search stops after a tier when all
-- k hits are within the confidence distance of the collection, unless exact is asked for. exact compares every memory.
-- When k memories match, k come back. MN001 wrong length, MN002 k out of 1 to 4,096, MN003 filter, MN004 collection.
-- With archive, memories in object storage compete by an estimate of their distance, made of their sketch: estimated is true,
-- the content null, and the tier 'archive'. A client that has read some of them hands them in as fetched, with hypervector
-- and content, and they count like any other. Those that have been forgotten or brought back since are left out.
-- A tier whose files cannot be read is left out, with a warning of SQLSTATE 01MN1 that names it. score_terms is null:
-- the score is the similarity.
create or replace function mnemo.search(
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
language plpgsql stable
rows 10
set search_path = pg_catalog, pg_temp
-- Planned once a session: planning would take a fifth of the time. The hits are looked up by key, whatever the tables
-- grow to after the plan was made.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_variable
declare
    v_nearest mnemo.candidate[];
begin
    if k is null or k not between 1 and 4096 then
        raise exception 'k must be between 1 and 4096, not %', coalesce(k::text, 'null') using errcode = 'MN002';
    end if;
    v_nearest := mnemo.nearest(query, k, k, search.collection, search.context, search.filter, search.exact, search.archive,
                               search.fetched);
    if search.archive or search.fetched is not null then
        return query
        select m.id, m.key, mnemo.tier_of_segment(m.segment), n.distance, 1 - n.distance::double precision / {bits},
               1 - n.distance::double precision / {bits}, m.content, m.attributes, m.created_at, null::jsonb, m.content is null
        from mnemo.read_candidates(v_nearest, search.fetched) as m
        join unnest(v_nearest) as n on n.id = m.id
        order by n.distance, n.id;
        return;
    end if;
    begin
        -- Materialized, so that either all rows are returned or none.
        return query
        with hit as materialized (
            select m.id, m.key, mnemo.tier_of_segment(m.segment) as tier, n.distance, m.content, m.attributes, m.created_at
            from unnest(v_nearest) as n
            join mnemo.memory m on m.segment = n.segment and m.bucket = n.bucket and m.id = n.id
        )
        select h.id, h.key, h.tier, h.distance, 1 - h.distance::double precision / {bits},
               1 - h.distance::double precision / {bits}, h.content, h.attributes, h.created_at, null::jsonb, false
        from hit h
        order by h.distance, h.id;
        return;
    exception when system_error or data_corrupted or index_corrupted or insufficient_privilege then
        -- That statement opens every partition, also those that no hit is in.
        null;
    end;
    return query
    select m.id, m.key, mnemo.tier_of_segment(m.segment), n.distance, 1 - n.distance::double precision / {bits},
           1 - n.distance::double precision / {bits}, m.content, m.attributes, m.created_at, null::jsonb, false
    from mnemo.read_memories(array(select n.id from unnest(v_nearest) as n),
                             array(select mnemo.tier_of_segment(n.segment) from unnest(v_nearest) as n)) as m
    join unnest(v_nearest) as n on n.id = m.id
    order by n.distance, n.id;
end
$$;
