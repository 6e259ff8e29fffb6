-- Learns from recalls (rows of mnemo.access_log) which memories of a context go together. Memories recalled together
-- predict each other, and those of a recall predict those of the next one in the context within
-- prediction_window_seconds. Each such access makes the weight w + (1 - w) * association_gain; between them it decays
-- with association_half_life_days. A recall without a context counts for the one that its hits share, if they do.
-- Bounded: association_hits of a recall, association_partners of a memory, focus_memories of a context.
-- Locks the rows of mnemo.focus in order of (tenant, context), and by them what is learned in those contexts: of two
-- calls for one context the second waits for the first to commit, and none deadlocks.
create or replace function mnemo.learn_accesses(p_accesses mnemo.access_log[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_gain      double precision := mnemo.setting('association_gain');
    v_half_life interval := make_interval(secs => 86400 * mnemo.setting('association_half_life_days'));
    v_window    interval := make_interval(secs => mnemo.setting('prediction_window_seconds'));
    v_hits      integer := mnemo.setting('association_hits');
    v_partners  integer := mnemo.setting('association_partners');
    v_focus     integer := mnemo.setting('focus_memories');
    v_now       timestamptz := mnemo.now();
    v_accesses  mnemo.access_log[];
    v_tenants   text[];
    v_contexts  text[];
    v_changed   uuid[];
begin
    -- Only the first hits count, of them those not forgotten since, and only where a context is known.
    v_accesses := array(
        select row(x.at, l.ids, x.tenant, coalesce(x.context, l.context))::mnemo.access_log
        from unnest(p_accesses) with ordinality as x (at, memory_ids, tenant, context, n)
        cross join lateral (
            select array_agg(a.id order by u.place) as ids,
                   case when x.context is null and count(m.context) = count(*) and min(m.context) = max(m.context)
                       then min(m.context)
                   end as context
            from unnest(x.memory_ids[:v_hits]) with ordinality as u (id, place)
            join mnemo.activity a on a.bucket = mnemo.bucket_of(u.id) and a.id = u.id and a.tenant = x.tenant
            left join mnemo.memory m
                on x.context is null and m.segment = a.segment and m.bucket = a.bucket and m.id = a.id
        ) as l
        where l.ids is not null and coalesce(x.context, l.context) is not null
        order by x.at, x.n);
    if v_accesses = '{}' then
        return;
    end if;

    insert into mnemo.focus as f (tenant, context, memory_ids, seen, at)
    select distinct x.tenant, x.context, '{}'::uuid[], '{}'::timestamptz[], '-infinity'::timestamptz
    from unnest(v_accesses) as x
    order by x.tenant, x.context
    on conflict (tenant, context) do update set at = f.at;

    with access as materialized (
        select x.tenant, x.context, x.at, x.memory_ids, x.n,
               lag(x.at) over following as before_at, lag(x.memory_ids) over following as before_ids
        from (select x.tenant, x.context, x.at, x.memory_ids, x.n
              from unnest(v_accesses) with ordinality as x (at, memory_ids, tenant, context, n)
              union all
              select f.tenant, f.context, f.at, array(select u.id from unnest(f.memory_ids, f.seen) as u (id, seen) where u.seen = f.at), 0
              from (select distinct x.tenant, x.context from unnest(v_accesses) as x) as t
              join mnemo.focus f on f.tenant = t.tenant and f.context = t.context) as x
        window following as (partition by x.tenant, x.context order by x.n)
    ), pair as (
        -- Once an access, also where both memories were among the hits before.
        select x.tenant, x.context, x.at, x.n, a.id as a, b.id as b
        from access x, unnest(x.memory_ids) as a (id), unnest(x.memory_ids) as b (id)
        where x.n > 0 and a.id <> b.id
        union
        select x.tenant, x.context, x.at, x.n, a.id, b.id
        from access x, unnest(x.before_ids) as a (id), unnest(x.memory_ids) as b (id)
        where x.n > 0 and a.id <> b.id and x.before_at > x.at - v_window
    ), counted as (
        select p.*, row_number() over (same order by p.n desc) - 1 as later, max(p.at) over same as latest
        from pair p
        window same as (partition by p.tenant, p.context, p.a, p.b)
    ), learned as (
        insert into mnemo.association as s (tenant, context, a, b, weight, at)
        -- What n accesses in turn make of a weight: (1 - gain)^n of it is left, and of the gain of each (1 - gain) for
        -- every one that follows, all decayed to the last of them.
        select c.tenant, c.context, c.a, c.b,
               least(1, coalesce(mnemo.strength_at(s.weight, s.at, l.at, v_half_life), 0) * power(1 - v_gain, count(*))
                        + sum(v_gain * power(1 - v_gain, c.later) * mnemo.strength_at(1, c.at, l.at, v_half_life))),
               l.at
        from counted c
        left join mnemo.association s on s.tenant = c.tenant and s.context = c.context and s.a = c.a and s.b = c.b
        cross join lateral (select greatest(c.latest, s.at) as at) as l
        group by c.tenant, c.context, c.a, c.b, s.weight, s.at, l.at
        order by c.tenant, c.context, c.a, c.b
        on conflict (tenant, context, a, b) do update set weight = excluded.weight, at = excluded.at
        returning s.tenant, s.context, s.a
    )
    select array_agg(t.tenant), array_agg(t.context), array_agg(t.a) into v_tenants, v_contexts, v_changed
    from (select distinct l.tenant, l.context, l.a from learned l) as t;

    delete from mnemo.association s
    using (select p.tenant, p.context, p.a, p.b,
                  row_number() over (partition by p.tenant, p.context, p.a
                                     order by mnemo.strength_at(p.weight, p.at, v_now, v_half_life) desc, p.b) as place
           from unnest(v_tenants, v_contexts, v_changed) as t (tenant, context, a)
           join mnemo.association p on p.tenant = t.tenant and p.context = t.context and p.a = t.a) as r
    where r.place > v_partners and s.tenant = r.tenant and s.context = r.context and s.a = r.a and s.b = r.b;

    update mnemo.focus f
    set memory_ids = u.ids, seen = u.seen, at = u.at
    from (select r.tenant, r.context, max(r.at) as at,
                 (array_agg(r.id order by r.at desc, r.n desc, r.place))[:v_focus] as ids,
                 (array_agg(r.at order by r.at desc, r.n desc, r.place))[:v_focus] as seen
          from (select distinct on (x.tenant, x.context, x.id) x.*
                from (select x.tenant, x.context, u.id, x.at, x.n, u.place
                      from unnest(v_accesses) with ordinality as x (at, memory_ids, tenant, context, n),
                           unnest(x.memory_ids) with ordinality as u (id, place)
                      union all
                      select o.tenant, o.context, u.id, u.seen, 0, u.place
                      from (select distinct x.tenant, x.context from unnest(v_accesses) as x) as t
                      join mnemo.focus o on o.tenant = t.tenant and o.context = t.context,
                           unnest(o.memory_ids, o.seen) with ordinality as u (id, seen, place)) as x
                order by x.tenant, x.context, x.id, x.at desc, x.n desc) as r
          group by r.tenant, r.context) as u
    where f.tenant = u.tenant and f.context = u.context;
end
$$;
