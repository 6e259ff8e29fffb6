-- Computes the deadlines of the next few thousand memories again, when the rules behind them have changed; returns how
-- many, 0 when none are stale. Restarted at any moment, it goes on where the last committed step ended.
-- Invariant kept: once no stale_deadline is left, leaves_tier_at is exact and due_at not later than the move it is for.
create or replace function mnemo.recompute_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_rows  constant integer := 5000;
    v_after uuid;
    v_ids   uuid[];
begin
    select s.after into v_after from mnemo.stale_deadline s for update;
    if not found then
        return 0;
    end if;
    perform mnemo.lock_for_writing();
    v_ids := array(select a.id from mnemo.activity a where a.id > v_after order by a.id limit c_rows);
    perform from mnemo.activity a join unnest(v_ids) as w (id) on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    order by a.bucket, a.id
    for update of a;
    perform mnemo.set_deadlines(v_ids);
    perform mnemo.injection_point('recompute.deadlines');
    if cardinality(v_ids) < c_rows then
        delete from mnemo.stale_deadline;
    else
        update mnemo.stale_deadline set after = v_ids[c_rows];
    end if;
    return greatest(cardinality(v_ids), 1);
end
$$;
