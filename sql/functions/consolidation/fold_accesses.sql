-- Counts up to p_rows rows of mnemo.access_log in mnemo.activity, each access in the order of time: strength decays to
-- the moment of the access and grows by (1 - s) * potentiation there. Returns how many rows of the log were counted.
-- With s0 the strength at t0, n accesses at t1 <= ... <= tn, d(x, y) the decay from x to y, that is
--   s = (1 - eta)^n d(t0, tn) s0 + eta * sum over k of (1 - eta)^(n - k) d(tk, tn).
-- An access older than the last change of strength counts as made at that moment.
-- Invariant kept: a row of the log is deleted in the transaction that counts it; lost in a crash perhaps, never doubled.
create or replace function mnemo.fold_accesses(p_rows integer default 1000) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_half_life interval := mnemo.half_life();
    v_eta       double precision := mnemo.setting('potentiation');
    -- From so many accesses on, what was before the first of them is e^-600: the power would be too small for its type.
    v_most      double precision := case when v_eta < 1 then 600 / -ln(1 - v_eta) else 1 end;
    v_log       mnemo.access_log[];
    v_locked    uuid[];
    v_tenants   text[];
    v_events    jsonb[];
begin
    with taken as (
        delete from mnemo.access_log l
        where l.ctid = any (array(select o.ctid from mnemo.access_log o limit p_rows for update skip locked))
        returning l
    )
    select array_agg(t.l order by (t.l).at) into v_log from taken t;
    if v_log is null then
        return 0;
    end if;
    perform mnemo.injection_point('fold.taken');

    v_locked := array(
        -- By `any`, not by a join with the array: PostgreSQL 18.1 drops rows from such a join that others changed while it waited.
        select a.id from mnemo.activity a
        where a.id = any (array(select distinct i.id from unnest(v_log) as l cross join unnest(l.memory_ids) as i (id)))
        order by a.bucket, a.id
        for update of a);

    perform mnemo.fold_archived(v_log, v_locked);
    with access as materialized (
        select a.bucket, a.id, greatest(l.at, a.ltp_at) as at,
               row_number() over (partition by a.id order by l.at) as place, count(*) over (partition by a.id) as total,
               max(greatest(l.at, a.ltp_at)) over (partition by a.id) as last
        from unnest(v_log) as l
        cross join unnest(l.memory_ids) as i (id)
        -- Those locked: a memory written meanwhile is not.
        join unnest(v_locked) as w (id) on w.id = i.id
        join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    ), grown as materialized (
        select c.bucket, c.id, max(c.total) as total, max(c.last) as last,
               v_eta * sum(power(1 - v_eta, least(c.total - c.place, v_most)) * mnemo.strength_at(1, c.at, c.last, v_half_life)) as gain
        from access c
        group by c.bucket, c.id
    ), rule as materialized (
        select u.tier, u.collection, r.*
        from (select distinct a.tier, a.collection
              from unnest(v_locked) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id) as u
        cross join lateral mnemo.deadline_rule(u.tier, u.collection) as r
    ), folded as (
        -- due_at, the indexed lower bound, stays: used memories only leave later, and the update is heap-only.
        update mnemo.activity a
        set ltp = s.ltp, ltp_at = g.last, last_access = greatest(b.last_access, g.last), access_count = b.access_count + g.total,
            tier_accesses = b.tier_accesses + g.total,
            leaves_tier_at = mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, s.ltp, g.last,
                                             greatest(b.last_access, g.last, b.entered_tier_at), v_half_life)
        from grown g
        join mnemo.activity b on b.bucket = g.bucket and b.id = g.id
        join rule r on r.tier = b.tier and r.collection = b.collection
        -- As it will be stored: real, and never above 1.
        cross join lateral (
            select least(power(1 - v_eta, least(g.total, v_most)) * mnemo.strength_at(b.ltp, b.ltp_at, g.last, v_half_life) + g.gain, 1)::real as ltp
        ) as s
        where a.bucket = b.bucket and a.id = b.id
        returning a.bucket, a.id, a.tenant, a.collection, a.tier, a.access_count, a.last_access, g.total
    ), slower as (
        insert into mnemo.accessed (bucket, id)
        select f.bucket, f.id from folded f where f.tier <> 'hot' order by f.bucket, f.id
        on conflict do nothing
    ), daily as (
        insert into mnemo.access_daily as d (day, tenant, collection, tier, accesses)
        select (mnemo.now() at time zone 'UTC')::date, f.tenant, f.collection, f.tier, sum(f.total) from folded f
        group by f.tenant, f.collection, f.tier
        order by f.tenant, f.collection, f.tier
        on conflict (day, tenant, collection, tier) do update set accesses = d.accesses + excluded.accesses
    )
    select array_agg(f.tenant order by f.id), array_agg(f.id order by f.id),
           array_agg(jsonb_build_object('count', f.access_count, 'last', f.last_access) order by f.id)
    into v_tenants, v_locked, v_events
    from folded f;
    perform mnemo.injection_point('fold.counted');

    perform mnemo.learn_accesses(v_log);
    perform mnemo.publish_for(t.tenant, 'memory.access', t.ids, t.payloads)
    from (select e.tenant, array_agg(e.id order by e.id) as ids, array_agg(e.payload order by e.id) as payloads
          from unnest(v_tenants, v_locked, v_events) as e (tenant, id, payload)
          group by e.tenant) as t;
    return cardinality(v_log);
end
$$;
