-- The drafts with every default filled in and a hypervector for each that came without one.
create or replace function mnemo.encode_drafts(p_drafts mnemo.draft[]) returns mnemo.draft[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(row(
        d.ordinal, d.content,
        coalesce(d.hdv, mnemo.bind_context(c, mnemo.encode_text(d.content, d.collection), d.context)),
        case when c.keep_embedding then d.embedding end,
        d.context, d.session, coalesce(d.occurred_at, mnemo.now()), coalesce(d.attributes, '{}'),
        d.key, d.collection, d.importance, d.tier, coalesce(d.pinned, false), null, null)::mnemo.draft
        order by d.ordinal)
    from unnest(p_drafts) as d
    join mnemo.collection c on c.name = d.collection
$$;
