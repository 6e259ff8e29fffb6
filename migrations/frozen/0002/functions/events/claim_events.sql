-- Leases lanes of a subscription with events to do, and returns those in order, lane by lane, at most `most`; nothing
-- when there are none now: then a NOTIFY on the channel mnemo_event says when to ask again, and half a second does in any case.
-- A quarter of the lanes that have any is taken at most, so that others find work too.
-- Settle each lane with mnemo.complete_events before its lease ends (mnemo.subscription.visibility): after that others get
-- the same events, one at a time, and the one on which consumers die counts as failed. attempt is 1 the first time.
-- memory.write comes with the hypervector as it is now; null when the memory is forgotten.
-- Locks: the cursors of the lanes, of which those that another consumer works on are skipped; then the head. Commit soon.
create or replace function mnemo.claim_events(subscription text, most integer default 100)
returns table (
    lane smallint, lease bigint, seq bigint, topic text, tenant text, context text, memory_id uuid, at timestamptz, attempt integer,
    payload jsonb, hdv bit varying
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_subscription mnemo.subscription := mnemo.subscription_named(subscription);
    v_number bigint := case when pg_current_xact_id_if_assigned() is null then coalesce(pg_sequence_last_value('mnemo.event_seq'), 0) end;
    v_head   mnemo.event_head;
    v_looked integer := 0;
    c        mnemo.event_cursor;
    v_room   integer := most;
    v_share  integer;
    v_taken  integer := 0;
    v_most   integer;
    v_parked bigint[];
    v_alone  boolean;
    v_log    mnemo.event[];
    v_behind bigint[];
begin
    if (claim_events.most between 1 and 1000) is not true then
        raise exception 'most must be from 1 to 1000, not %', coalesce(claim_events.most::text, 'null') using errcode = 'MN002';
    end if;
    select * into v_head from mnemo.event_head;
    if pg_snapshot_xmax(v_head.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) then
        -- Restored from another server: nothing of it can be claimed before it is adopted.
        v_head := mnemo.tick_events(v_number);
    end if;
    loop
        select k.* into c
        from mnemo.event_cursor k
        where k.subscription = v_subscription.id
          and (k.upto is not null or v_head.lanes[k.lane + 1] > k.tick or k.retry_at <= mnemo.now())
          and (k.leased_until is null or k.leased_until <= mnemo.now())
        order by k.lease, k.lane
        limit 1 for update skip locked;
        exit when not found and v_taken > 0;
        if not found then
            v_looked := v_looked + 1;
            -- Once more after saying that somebody sleeps: a publisher that did not see that yet is seen by this look.
            exit when v_looked = 3 or (v_looked = 2 and pg_sequence_last_value('mnemo.event_asleep') = 1);
            if v_looked = 2 then
                perform setval('mnemo.event_asleep', 1);
            end if;
            v_head := mnemo.tick_events(v_number);
            continue;
        end if;

        v_share := coalesce(v_share, least(16, (
            select (count(*) + 3) / 4 from mnemo.event_cursor k
            where k.subscription = v_subscription.id
              and (k.upto is not null or v_head.lanes[k.lane + 1] > k.tick or k.retry_at <= mnemo.now())
              and (k.leased_until is null or k.leased_until <= mnemo.now()))));
        if c.upto is not null or c.retry_at is not null then
            -- A lane that has been waiting for its turn for long: others may have got events meanwhile.
            v_head := mnemo.tick_events(v_number);
        end if;
        if c.leased_until is not null and c.batch_only is not null then
            perform mnemo.park_events(v_subscription, c.lane, array[c.batch_only], array['its consumer died, or took longer than the lease'], true, '{}');
            c.isolate := greatest(c.isolate - 1, 0);
            c.acknowledged := c.acknowledged + 1;
            c.retry_at := '-infinity';
            perform mnemo.finish_batch(c, true);
            continue;
        elsif c.leased_until is not null then
            c.isolate := greatest(c.isolate, c.batch_events);
        end if;

        v_most := case when c.isolate > 0 then 1 else v_room end;
        v_parked := '{}';
        v_alone := false;
        v_log := '{}';
        v_behind := '{}';
        c.exhausted := false;
        c.batch_to := null;
        if c.retry_at <= mnemo.now() then
            select d.seqs, d.alone into v_parked, v_alone from mnemo.due_parked(c.subscription, c.lane, v_most) d;
        end if;
        if cardinality(v_parked) < v_most and not v_alone then
            if c.upto is null and v_head.lanes[c.lane + 1] > c.tick then
                c.upto := v_head.snapshot;
                c.upto_floor := v_head.floor;
                c.upto_tick := v_head.tick;
                c.ceiling := v_head.ceiling;
                c.seq := 0;
            end if;
            if c.upto is not null then
                v_log := array(select e from mnemo.range_events(c, v_subscription.topics, c.ceiling, v_most - cardinality(v_parked)) e);
                c.exhausted := cardinality(v_log) < v_most - cardinality(v_parked);
                c.batch_to := (v_log[cardinality(v_log)]).seq;
            end if;
            if c.retry_at is not null and c.batch_to is not null then
                -- Behind what is parked of their context and not part of this batch; or parked themselves already.
                v_behind := array(
                    select e.seq from unnest(v_log) e
                    where exists (
                        select from mnemo.event_retry r
                        where r.subscription = c.subscription and r.lane = c.lane
                          and (r.seq = e.seq or r.tenant = e.tenant and r.context = e.context and not r.seq = any (v_parked))));
                perform mnemo.park_events(v_subscription, c.lane, '{}', '{}', false, v_behind);
            end if;
        end if;
        c.batch_parked := cardinality(v_parked);
        c.batch_events := c.batch_parked + cardinality(v_log) - cardinality(v_behind);
        if c.batch_events = 0 then
            perform mnemo.finish_batch(c, true);
            continue;
        end if;
        c.batch_only := case when c.batch_events = 1 then
            coalesce(v_parked[1], (select e.seq from unnest(v_log) e where not e.seq = any (v_behind))) end;
        c.lease := nextval('mnemo.event_lease');
        c.leased_until := mnemo.now() + v_subscription.visibility;
        perform mnemo.write_cursor(c);
        perform mnemo.injection_point('event.claimed');

        return query
        select c.lane, c.lease, d.seq, d.topic, d.tenant, d.context, d.memory_id, d.at, d.attempts + 1, d.payload,
               case when d.topic = 'memory.write' then (
                   select m.hdv::bit varying from mnemo.memory m
                   where m.id = d.memory_id and m.bucket = mnemo.bucket_of(d.memory_id) and m.tenant = d.tenant
               ) end
        from (
            select 0 as part, r.place, r.seq, r.topic, r.tenant, r.context, r.memory_id, r.at, r.attempts, r.payload
            from mnemo.event_retry r
            where c.batch_parked > 0 and r.subscription = c.subscription and r.seq = any (v_parked)
            union all
            select 1, e.seq, e.seq, e.topic, e.tenant, e.context, e.memory_id, e.at, 0, e.payload
            from unnest(v_log) e
            where not e.seq = any (v_behind)
        ) as d
        order by d.part, d.place;
        v_room := v_room - c.batch_events;
        v_taken := v_taken + 1;
        exit when v_room <= 0 or v_taken >= v_share;
    end loop;
end
$$;
