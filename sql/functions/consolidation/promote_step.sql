-- Looks at the next slower memories used since promotion last looked, moves up those that a promotion policy wants, and
-- returns how many it looked at that need no second look. One that must stay in its tier for a while yet is looked at
-- again, as is a pinned one once it is let go; nothing else can make a memory stronger than its use. Sessions that run it
-- at once share the work.
create or replace function mnemo.promote_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now   timestamptz := mnemo.now();
    v_seen  uuid[];
    v_group record;
begin
    perform mnemo.lock_for_writing();
    begin
        v_seen := array(
            select c.id from mnemo.accessed c
            join mnemo.activity a on a.bucket = c.bucket and a.id = c.id
            where not a.pinned and not exists (
                select from mnemo.policy_of('promotion', a.tier, a.collection) p where a.entered_tier_at + p.minimum_stay > v_now)
            order by c.bucket, c.id
            limit mnemo.setting('move_batch_rows')::integer
            for update of a, c skip locked);
        if v_seen = '{}' then
            raise no_data_found;
        end if;
    exception
        -- Rolled back: a row that was locked, and then was not wanted, must not be held when a partition is built next.
        when no_data_found then
            return 0;
    end;
    perform mnemo.injection_point('promote.locked');
    for v_group in
        select p.to_tier, p.name, case p.rule when 'ltp' then 'strength' else 'accesses' end as reason,
               array_agg(a.id order by a.bucket, a.id) as ids
        from unnest(v_seen) as w (id)
        join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        cross join lateral mnemo.policy_of('promotion', a.tier, a.collection) as p
        join mnemo.tier there on there.tier = p.to_tier
        where case p.rule
                  when 'ltp' then mnemo.strength_at(a.ltp, a.ltp_at, v_now, mnemo.half_life()) >= coalesce(p.threshold, there.leaves_below)
                  else a.tier_accesses >= p.accesses and (p.within is null or a.last_access >= v_now - p.within)
              end
        group by p.to_tier, p.name, p.rule
    loop
        perform mnemo.move_locked(v_group.ids, mnemo.segment_of_tier(v_group.to_tier), v_group.name, v_group.reason);
    end loop;
    delete from mnemo.accessed c using unnest(v_seen) as w (id) where c.bucket = mnemo.bucket_of(w.id) and c.id = w.id;
    return cardinality(v_seen);
end
$$;
