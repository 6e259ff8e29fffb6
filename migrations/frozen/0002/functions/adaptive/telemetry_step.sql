-- A job's step: takes one sample of the tiers and returns 1; 0 when the last is younger than {"every": 5} seconds. So a
-- run takes one sample.
-- Guaranteed: each access that mnemo.access_daily ever counts is in exactly one sample. Two at once: the second waits.
create or replace function mnemo.telemetry_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now   timestamptz := mnemo.now();
    -- Not today: a count made just before midnight may become visible after it.
    v_day   date := (v_now at time zone 'UTC')::date - 1;
    v_every double precision := coalesce((arguments ->> 'every')::double precision, 5);
    v_last  timestamptz;
begin
    lock table mnemo.telemetry_mark in share row exclusive mode;
    select max(t.at) into v_last from mnemo.telemetry t;
    if v_last > v_now - make_interval(secs => v_every) then
        return 0;
    end if;
    -- Accesses count for the day on which they are counted: only days from the mark on can have grown.
    with counted as materialized (
        select t.tier, coalesce(sum(d.accesses), 0)::bigint as accesses,
               coalesce(sum(d.accesses) filter (where d.day >= v_day), 0)::bigint as recent
        from mnemo.tier t
        left join mnemo.telemetry_mark k using (tier)
        left join mnemo.access_daily d on d.tier = t.tier and d.day >= coalesce(k.day, '-infinity')
        group by t.tier
    ), fresh as materialized (
        select c.tier, c.accesses - coalesce(k.accesses, 0) as accesses, c.recent, k.tier is null as first
        from counted c left join mnemo.telemetry_mark k using (tier)
    ), marked as (
        insert into mnemo.telemetry_mark as k (tier, day, accesses, total)
        select f.tier, v_day, f.recent, f.accesses from fresh f
        on conflict (tier) do update
        set day = excluded.day, accesses = excluded.accesses, total = k.total + excluded.total
    ), held as materialized (
        select f.tier,
               -- What was counted before the first sample happened nobody knows when.
               case when f.first then 0 else greatest(f.accesses, 0) end as accesses,
               mnemo.tier_memories(f.tier) as memories,
               (select coalesce(sum(pg_total_relation_size(to_regclass(format('mnemo.%I', s.relation)))), 0)::bigint
                from mnemo.segment s where s.tier = f.tier) as bytes
        from fresh f
    )
    insert into mnemo.telemetry (at, since, hot_accesses, warm_accesses, cold_accesses, hot_memories, warm_memories, cold_memories,
                                 hot_bytes, warm_bytes, cold_bytes)
    select v_now, coalesce(v_last, v_now), h.accesses, w.accesses, c.accesses, h.memories, w.memories, c.memories, h.bytes, w.bytes, c.bytes
    from held h join held w on w.tier = 'warm' join held c on c.tier = 'cold'
    where h.tier = 'hot';
    return 1;
end
$$;
