-- Fills in the defaults of each draft, what follows from its scores, and its id: that of its key where the key is known,
-- else a new one that carries its bucket. Every draft has its hypervector by now.
-- New ids rise in the order of the drafts, which is that of arrival.
-- Of several drafts with one key the last counts; the others come back with existed null, which writes nothing.
-- Keys are claimed in one order, so that batches with common keys wait for each other and never deadlock.
create or replace function mnemo.resolve_keys(p_drafts mnemo.draft[]) returns mnemo.draft[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant  text := mnemo.tenant();
    v_now     timestamptz := mnemo.now();
    v_keeping text[] := array(select c.name from mnemo.collection c where c.keep_embedding);
    v_ids     uuid[];
    v_existed boolean[];
begin
    -- Only what identifies a draft goes through the sorts and joins, not its two kilobytes of bits.
    with narrow as materialized (
        select d.place, d.ordinal, d.collection, d.key, mnemo.bucket_for(c.bucket_rule, d.hdv, d.context, v_tenant) as bucket
        from rows from (unnest(p_drafts)) with ordinality as d (
            ordinal, content, hdv, embedding, context, session, occurred_at, attributes, key, collection, importance,
            tier, pinned, id, existed, encoded, terms, words, place)
        join mnemo.collection c on c.name = d.collection
    ), proposed as materialized (
        select b.*, mnemo.new_id(b.bucket) as new_id
        from (select n.place, n.collection, n.key, n.bucket,
                     n.key is null or row_number() over (partition by n.collection, n.key order by n.ordinal desc) = 1 as counts
              from narrow n
              order by n.place) as b
    ), claimed as (
        insert into mnemo.memory_key as k (tenant, collection, key, bucket, id)
        select v_tenant, p.collection, p.key, p.bucket, p.new_id
        from proposed p
        where p.key is not null and p.counts
        order by p.collection, p.key
        on conflict (tenant, collection, key) do update set key = excluded.key
        returning k.collection, k.key, k.id, old.id is not null as existed
    )
    select array_agg(coalesce(k.id, p.new_id) order by p.place),
           array_agg(case when p.counts then coalesce(k.existed, false) end order by p.place)
    into v_ids, v_existed
    from proposed p
    left join claimed k on k.collection = p.collection and k.key = p.key;

    return array(
        select row(
            d.ordinal, d.content, d.hdv, case when d.collection = any (v_keeping) then d.embedding end,
            d.context, d.session, coalesce(d.occurred_at, v_now),
            coalesce(case when d.attributes ? 'scores' then mnemo.scored_attributes(d.attributes) else d.attributes end, '{}'),
            d.key, d.collection,
            case when d.importance is null then
                     mnemo.importance_of(case when jsonb_typeof(d.attributes -> 'scores') = 'object' then d.attributes -> 'scores' end)
                 when d.importance < 1e-12 then 0
                 else d.importance
            end,
            d.tier, coalesce(d.pinned, false), d.given_id, d.known, coalesce(d.encoded, 'g'), d.terms, d.words)::mnemo.draft
        from unnest(p_drafts, v_ids, v_existed) as d (
            ordinal, content, hdv, embedding, context, session, occurred_at, attributes, key, collection, importance,
            tier, pinned, id, existed, encoded, terms, words, given_id, known));
end
$$;
