-- Moves the next memories down whose stay in p_tier is over by decay or disuse, those first that have been due longest.
-- One met too early gets its exact due_at instead. Returns how many rows it dealt with. From bulk_move_rows due at once
-- on, a partition is built instead. Sessions that run it at once share the work.
create or replace function mnemo.demote_step(p_tier text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now   timestamptz := mnemo.now();
    v_due   uuid[];
    v_group record;
begin
    perform mnemo.lock_for_writing();
    begin
        v_due := array(
            select a.id from mnemo.activity a
            where a.tier = p_tier and a.due_at <= v_now
            order by a.due_at
            limit mnemo.setting('move_batch_rows')::integer
            for update skip locked);
        if v_due = '{}' then
            raise no_data_found;
        end if;
    exception
        -- Rolled back: a row that was locked, and then was not wanted, must not be held when a partition is built next.
        when no_data_found then
            return 0;
    end;
    perform mnemo.injection_point('demote.locked');
    for v_group in
        with rule as materialized (
            select u.collection, r.*
            from (select distinct a.collection
                  from unnest(v_due) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id) as u
            cross join lateral mnemo.deadline_rule(p_tier, u.collection) as r
        )
        select r.to_tier, r.policy, case r.leave_rule when 'ltp' then 'decay' else 'idle' end as reason,
               array_agg(a.id order by a.bucket, a.id) as ids
        from unnest(v_due) as w (id)
        join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        join rule r on r.collection = a.collection
        where a.leaves_tier_at <= v_now and a.entered_tier_at + r.minimum_stay <= v_now
        group by r.to_tier, r.policy, r.leave_rule
    loop
        perform mnemo.move_locked(v_group.ids, mnemo.segment_of_tier(v_group.to_tier), v_group.policy, v_group.reason);
    end loop;
    -- Those still here were met too early.
    perform mnemo.set_deadlines(array(
        select a.id
        from unnest(v_due) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
        where a.tier = p_tier));
    return cardinality(v_due);
end
$$;
