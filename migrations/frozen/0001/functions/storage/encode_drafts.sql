-- The drafts with a hypervector for each that came without one: that of its content, as its collection encodes.
create or replace function mnemo.encode_drafts(p_drafts mnemo.draft[]) returns mnemo.draft[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Most batches come encoded; copying theirs would cost as much as storing them.
    if not exists (select from unnest(p_drafts) as d where d.hdv is null) then
        return p_drafts;
    end if;
    return array(
        select row(
            d.ordinal, d.content,
            coalesce(d.hdv, mnemo.bind_context(c, mnemo.encode_text(d.content, d.collection), d.context)),
            d.embedding, d.context, d.session, d.occurred_at, d.attributes,
            d.key, d.collection, d.importance, d.tier, d.pinned, d.id, d.existed)::mnemo.draft
        from unnest(p_drafts) as d
        join mnemo.collection c on c.name = d.collection
        order by d.ordinal);
end
$$;
