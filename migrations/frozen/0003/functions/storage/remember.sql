-- Stores one memory and returns its id. The hypervector is the given one, else the projected embedding, else
-- the encoded text. A key used again keeps its id and takes the new content. Scores (mnemo.scores_problem) are kept in the
-- attributes, under "scores", with what follows from them; importance is the strength at birth, where it is not given that
-- of the scores, or 0.8 without any (mnemo.importance_of).
create or replace function mnemo.remember(
    content     text,
    hdv         bit varying default null,
    embedding   real[] default null,
    context     text default null,
    session     text default null,
    occurred_at timestamptz default null,
    attributes  jsonb default '{}',
    key         text default null,
    collection  text default 'memories',
    importance  double precision default null,
    tier        text default 'hot',
    pinned      boolean default false,
    scores      jsonb default '{}'
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_collection mnemo.collection := mnemo.collection(collection);
    v_ids        uuid[];
begin
    if jsonb_typeof(scores) <> 'object' then
        raise exception 'scores must be a JSON object, not %', jsonb_typeof(scores) using errcode = 'MN002';
    elsif scores <> '{}' and jsonb_typeof(coalesce(attributes, '{}')) = 'object' then
        attributes := coalesce(attributes, '{}') || jsonb_build_object('scores', scores);
    end if;
    if embedding is not null then
        v_collection := mnemo.fix_dimension(v_collection.name, cardinality(embedding));
        if v_collection.encoder = 'lexical' then
            hdv := coalesce(hdv, mnemo.bind_context(v_collection, mnemo.project(embedding, v_collection.seed), context));
        end if;
    end if;
    v_ids := mnemo.write_drafts(array[row(
        0, content, hdv, mnemo.quantise(embedding), context, session, occurred_at, attributes, key, collection,
        importance, tier, pinned, null, null, null, null, null)::mnemo.draft]);
    return v_ids[1];
end
$$;
