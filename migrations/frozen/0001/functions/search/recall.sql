-- mnemo.search, and the access of each hit recorded in mnemo.access_log: one row, no lock, nothing to wait for.
create or replace function mnemo.recall(
    query      bit varying,
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
    created_at timestamptz
)
language plpgsql volatile
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids uuid[] := '{}';
begin
    for memory_id, key, tier, distance, similarity, score, content, attributes, created_at in
        select * from mnemo.search(recall.query, recall.k, recall.collection, recall.context, recall.filter, recall.exact)
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    if v_ids <> '{}' then
        insert into mnemo.access_log (at, memory_ids) values (mnemo.now(), v_ids);
    end if;
end
$$;
