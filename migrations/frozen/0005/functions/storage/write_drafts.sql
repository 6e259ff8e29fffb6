-- The one way in: writes a batch of drafts and returns their ids in order. All or nothing.
-- Invariant kept: each memory has exactly one row in mnemo.memory, one in mnemo.activity that names its
-- segment, and one in mnemo.memory_key if it has a key. Locks: the table, the tenant's quota, keys, activity, memory.
-- New memories go into p_into: mnemo.memory, or the table of a bulk load (one segment, not yet attached).
create or replace function mnemo.write_drafts(p_drafts mnemo.draft[], p_into regclass default 'mnemo.memory') returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_tenant    text := mnemo.tenant();
    v_half_life interval := mnemo.half_life();
    v_drafts    mnemo.draft[];
    v_revived   mnemo.archived_memory[];
    v_open      mnemo.open_segment[];
    v_counted   boolean;
begin
    -- A bulk load under way is waited for before any key is claimed: it may write the same ones.
    perform mnemo.lock_for_writing();
    v_counted := mnemo.lock_quota(cardinality(p_drafts));
    -- Read once: a segment may be sealed between two statements, and memory and activity must name the same.
    v_open := array(select o from mnemo.open_segment o);
    perform mnemo.check_drafts(p_drafts);
    v_drafts := mnemo.resolve_keys(mnemo.encode_drafts(p_drafts));

    -- A draft that a later one of its batch replaces was counted, and is never written.
    perform mnemo.log_terms(array(select d from unnest(v_drafts) d where d.existed is null), -1);
    if exists (select from unnest(v_drafts) d where d.existed) then
        -- Archived, it has no rows to rewrite: it is written like a new one, and keeps what it was.
        v_revived := mnemo.revive(array(select d.id from unnest(v_drafts) d where d.existed));
        if v_revived <> '{}' then
            v_drafts := array(
                select row(d.ordinal, d.content, d.hdv, d.embedding, d.context, d.session, d.occurred_at, d.attributes, d.key, d.collection,
                           case when r.id is null then d.importance
                                else greatest(d.importance, mnemo.strength_at(r.ltp, r.ltp_at, v_now, v_half_life)) end,
                           d.tier, d.pinned, d.id, d.existed and r.id is null, d.encoded, d.terms, d.words)::mnemo.draft
                from unnest(v_drafts) d
                left join unnest(v_revived) as r on r.id = d.id and d.existed);
        end if;
    end if;
    -- What archived memories had sealed before, and drafts that a later one of their batch replaces.
    perform mnemo.drop_seals(array(
        select mnemo.seal_of(r.attributes) from unnest(v_revived) as r
        where not exists (select from unnest(v_drafts) as d where mnemo.seal_of(d.attributes) = mnemo.seal_of(r.attributes))
        union all
        select mnemo.seal_of(d.attributes) from unnest(v_drafts) as d where d.existed is null and d.attributes ? '$seal'));
    if v_counted then
        perform mnemo.charge_drafts(v_drafts, v_revived, p_into, cardinality(p_drafts));
    end if;
    if exists (select from unnest(v_drafts) d where d.existed) then
        perform mnemo.rewrite_memories(v_drafts, p_into);
    end if;

    with rule as materialized (
        select u.tier, u.collection, s.segment, r.*
        from (select distinct d.tier, d.collection from unnest(v_drafts) d where not d.existed) as u
        join unnest(v_open) as s on s.tier = u.tier
        cross join lateral mnemo.deadline_rule(u.tier, u.collection) as r
    )
    insert into mnemo.activity
        (bucket, id, segment, tier, tenant, collection, ltp, ltp_at, entered_tier_at, leaves_tier_at, due_at, expires_at, pinned,
         access_count, last_access)
    select mnemo.bucket_of(d.id), d.id, r.segment, d.tier, v_tenant, d.collection, d.importance, v_now, v_now, l.at,
           case when not d.pinned and l.at is not null then greatest(l.at, v_now + r.minimum_stay) end,
           case when not d.pinned then v_now + r.age end, d.pinned,
           coalesce(w.access_count, 0), w.last_access
    from unnest(v_drafts) d
    join rule r on r.tier = d.tier and r.collection = d.collection
    left join unnest(v_revived) as w on w.id = d.id
    cross join lateral (
        select mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, d.importance::real, v_now, v_now, v_half_life) as at
    ) as l
    where not d.existed;

    execute format(
        'insert into %s (occurred_at, created_at, segment, bucket, id, tenant, collection, context, session, key, '
                        'content, attributes, embedding, encoded, hdv) '
        'select d.occurred_at, coalesce(w.created_at, $2), s.segment, mnemo.bucket_of(d.id), d.id, $3, d.collection, d.context, d.session, d.key, '
               'd.content, d.attributes, d.embedding, d.encoded, d.hdv::bit({bits}) '
        'from unnest($1) d join unnest($5) as s on s.tier = d.tier left join unnest($4) as w on w.id = d.id '
        'where not d.existed', p_into)
    using v_drafts, v_now, v_tenant, v_revived, v_open;

    perform mnemo.queue_copies(array(select d.id from unnest(v_drafts) d where d.existed is not null));
    perform mnemo.fold_pending(array(select distinct d.collection from unnest(v_drafts) d));
    perform mnemo.injection_point('remember.written');
    perform mnemo.publish_all('memory.write',
        array_agg(d.context order by d.ordinal), array_agg(d.id order by d.ordinal),
        array_agg(jsonb_build_object('ltp', d.importance, 'time', v_now, 'tier', d.tier, 
                                     'new', not d.existed and not exists (select from unnest(v_revived) as w where w.id = d.id)) order by d.ordinal))
    from unnest(v_drafts) d
    where d.existed is not null;
    return array(select d.id from unnest(v_drafts) d order by d.ordinal);
end
$$;
