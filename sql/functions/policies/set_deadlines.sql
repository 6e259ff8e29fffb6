-- Computes leaves_tier_at, due_at and expires_at of memories whose activity rows the caller has locked.
-- Those of a bulk load are not in mnemo.memory yet; they are as old as this moment. Pinned ones have no due_at and no expires_at: no scan meets them.
create or replace function mnemo.set_deadlines(p_ids uuid[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with wanted as materialized (
        select a.bucket, a.id, a.tier, a.collection, a.ltp, a.ltp_at, a.entered_tier_at, a.last_access, a.pinned, coalesce(m.created_at, mnemo.now()) as created_at
        from unnest(p_ids) as w (id)
        join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        left join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id
    ), rule as materialized (
        select s.tier, s.collection, r.*
        from (select distinct w.tier, w.collection from wanted w) as s
        cross join lateral mnemo.deadline_rule(s.tier, s.collection) as r
    )
    update mnemo.activity a
    set leaves_tier_at = l.at,
        due_at = case when not w.pinned then case when l.at is not null then greatest(l.at, w.entered_tier_at + r.minimum_stay) end end,
        expires_at = case when not w.pinned then case when r.age_of_stay then w.entered_tier_at else w.created_at end + r.age end
    from wanted w
    join rule r on r.tier = w.tier and r.collection = w.collection
    cross join lateral (
        select mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, w.ltp, w.ltp_at,
                               greatest(w.last_access, w.entered_tier_at), mnemo.half_life()) as at
    ) as l
    where a.bucket = w.bucket and a.id = w.id
$$;
