-- Gives the memories of those drafts whose key existed their new content, in the tier that the draft names, unless
-- it is pinned. A memory keeps its id and its creation time, and the greater of its strength and the new importance.
-- p_into is the table of a bulk load, which holds those of them that the load itself wrote, else mnemo.memory.
-- Invariant kept: memory and activity change together; the activity row is locked first, in order of (bucket, id).
create or replace function mnemo.rewrite_memories(p_drafts mnemo.draft[], p_into regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    -- Read once: a segment may be sealed between two statements.
    v_open      mnemo.open_segment[] := array(select o from mnemo.open_segment o);
    v_seals     uuid[];
begin
    -- By `any`, not by a join with the array: PostgreSQL 18.1 drops rows from such a join that others changed while it waited.
    perform from mnemo.activity a
    where a.id = any (array(select d.id from unnest(p_drafts) d where d.existed))
    order by a.bucket, a.id
    for update of a;

    v_seals := mnemo.left_seals(p_drafts, p_into);
    perform mnemo.uncount_memories(array(select d.id from unnest(p_drafts) d where d.existed), p_into);
    update mnemo.memory m
    set segment = case when a.pinned then a.segment else s.segment end,
        content = d.content, hdv = d.hdv::bit({bits}), embedding = d.embedding, encoded = d.encoded, context = d.context,
        session = d.session, occurred_at = d.occurred_at, attributes = d.attributes
    from unnest(p_drafts) d
    join mnemo.activity a on a.bucket = mnemo.bucket_of(d.id) and a.id = d.id
    join unnest(v_open) as s on s.tier = d.tier
    where d.existed and m.segment = a.segment and m.bucket = a.bucket and m.id = a.id;

    delete from mnemo.pending_hypervector p where p.id = any (array(select d.id from unnest(p_drafts) d where d.existed));

    if p_into <> 'mnemo.memory'::regclass then
        execute format(
            'update %s m '
            'set content = d.content, hdv = d.hdv::bit({bits}), embedding = d.embedding, encoded = d.encoded, context = d.context, '
                'session = d.session, occurred_at = d.occurred_at, attributes = d.attributes '
            'from unnest($1) d where d.existed and m.bucket = mnemo.bucket_of(d.id) and m.id = d.id', p_into)
        using p_drafts;
    end if;

    with rewritten as (
        update mnemo.activity a
        set segment = n.segment, tier = n.tier, collection = d.collection, ltp = n.ltp, ltp_at = v_now, pinned = b.pinned or d.pinned,
            entered_tier_at = case when b.tier = n.tier then b.entered_tier_at else v_now end,
            tier_accesses = case when b.tier = n.tier then b.tier_accesses else 0 end
        from unnest(p_drafts) d
        join mnemo.activity b on b.bucket = mnemo.bucket_of(d.id) and b.id = d.id
        join unnest(v_open) as s on s.tier = d.tier
        cross join lateral (
            select case when b.pinned then b.segment else s.segment end as segment, case when b.pinned then b.tier else s.tier end as tier,
                   greatest(mnemo.strength_at(b.ltp, b.ltp_at, v_now, v_half_life), d.importance)::real as ltp
        ) as n
        where d.existed and a.bucket = b.bucket and a.id = b.id
        returning a.id, a.tenant, b.tier as from_tier, a.tier as to_tier, a.segment, a.ltp
    )
    insert into mnemo.move_log (at, memory_id, tenant, from_tier, to_tier, segment, reason, strength)
    select v_now, r.id, r.tenant, r.from_tier, r.to_tier, r.segment, 'rewritten', r.ltp
    from rewritten r
    where r.from_tier <> r.to_tier;

    perform mnemo.set_deadlines(array(select d.id from unnest(p_drafts) d where d.existed));
    perform mnemo.drop_seals(v_seals);
end
$$;
