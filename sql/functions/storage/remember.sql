-- Stores one memory and returns its id. The hypervector is the given one, else the projected embedding, else
-- the encoded text. A key used again keeps its id and takes the new content.
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
    importance  double precision default 0.8,
    tier        text default 'hot',
    pinned      boolean default false
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_collection mnemo.collection := mnemo.collection(collection);
    v_ids        uuid[];
begin
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
