-- The drafts, ready to be stored: the words of each counted and noted in the statistics of its collection, and a hypervector
-- for each that came without one, as its collection encodes: with what came before it in its session, in the batch or in
-- the database.
create or replace function mnemo.encode_drafts(p_drafts mnemo.draft[]) returns mnemo.draft[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_drafts mnemo.draft[] := p_drafts;
begin
    -- Most batches come counted and encoded; copying theirs would cost as much as storing them.
    if exists (select from unnest(p_drafts) as d join mnemo.collection c on c.name = d.collection
               where d.terms is null and c.encoder = 'composite') then
        v_drafts := array(
            select row(
                d.ordinal, d.content, d.hdv, d.embedding, d.context, d.session, d.occurred_at, d.attributes, d.key, d.collection,
                d.importance, d.tier, d.pinned, d.id, d.existed, d.encoded, coalesce(d.terms, t.terms), coalesce(d.words, t.words))::mnemo.draft
            from unnest(p_drafts) as d
            join mnemo.collection c on c.name = d.collection
            left join lateral (
                select array_agg(k.word) as terms, sum(k.count)::integer as words from mnemo.tokens(d.content) as k
            ) as t on d.terms is null and c.encoder = 'composite'
            order by d.ordinal);
    end if;
    perform mnemo.log_terms(v_drafts, 1);
    if exists (select from unnest(v_drafts) as d where d.hdv is null) then
        v_drafts := array(
            select row(
                d.ordinal, d.content, coalesce(d.hdv, e.hdv), d.embedding, d.context, d.session, d.occurred_at, d.attributes, d.key, d.collection,
                d.importance, d.tier, d.pinned, d.id, d.existed, case when d.hdv is null then 'w' else d.encoded end, d.terms, d.words)::mnemo.draft
            from unnest(v_drafts) as d
            left join mnemo.encode_batch(v_drafts) as e on e.ordinal = d.ordinal
            order by d.ordinal);
    end if;
    return v_drafts;
end
$$;
