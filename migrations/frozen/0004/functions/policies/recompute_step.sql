-- Computes the deadlines of the next few thousand memories again, when the rules behind them have changed; returns how
-- many, 0 when none are stale, or none but by transactions that had read the old rules and are still under way: those
-- are followed by another pass; also 0 when somebody holds the next row. Restarted at any moment, it goes on where the last committed step ended.
-- Invariant kept: once no stale_deadline is left, leaves_tier_at is exact and due_at not later than the move it is for.
create or replace function mnemo.recompute_step() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_rows  constant integer := 5000;
    c_first constant uuid := '00000000-0000-0000-0000-000000000000';
    c_last  constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    v_stale  mnemo.stale_deadline;
    v_alone  boolean;
    v_ids    uuid[];
    v_locked uuid[];
    v_held   uuid;
begin
    select * into v_stale from mnemo.stale_deadline s for update;
    if not found then
        return 0;
    end if;
    v_alone := v_stale.since is null or pg_snapshot_xmin(pg_current_snapshot()) > v_stale.since;
    if v_stale.after = c_last then
        if v_alone then
            update mnemo.stale_deadline set after = c_first, since = null;
            return 1;
        end if;
        return 0;
    end if;
    -- A pass that begins with nobody of then under way needs no second one.
    if v_stale.after = c_first and v_alone then
        v_stale.since := null;
    end if;
    perform mnemo.lock_for_writing();
    v_ids := array(select a.id from mnemo.activity a where a.id > v_stale.after order by a.id limit c_rows);
    -- Holding this many rows it must wait for nobody: it ends before the first that somebody else holds. Where that is the
    -- first of all it holds none, since the caller goes on.
    perform from mnemo.activity a where a.id = v_ids[1] for update skip locked;
    if not found and v_ids <> '{}' then
        return 0;
    end if;
    v_locked := array(select a.id from mnemo.activity a where a.id = any (v_ids) order by a.id for update skip locked);
    v_held := (select unnest(v_ids) except select unnest(v_locked) order by 1 limit 1);
    if v_held is not null then
        v_ids := array(select w.id from unnest(v_ids) as w (id) where w.id < v_held order by w.id);
    end if;
    perform mnemo.set_deadlines(v_ids);
    perform mnemo.injection_point('recompute.deadlines');
    if v_held is not null or cardinality(v_ids) = c_rows then
        update mnemo.stale_deadline set after = v_ids[cardinality(v_ids)], since = v_stale.since;
    elsif v_stale.since is null then
        -- The last pass: then those in the archive.
        if mnemo.expire_archived() = 0 then
            delete from mnemo.stale_deadline;
        end if;
    else
        update mnemo.stale_deadline set after = c_last;
    end if;
    return greatest(cardinality(v_ids), 1);
end
$$;
