-- Forgets memories for good, all or none; returns how many of them this tenant had.
create or replace function mnemo.forget_many(ids uuid[]) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_counted boolean;
    v_bytes   bigint;
    v_done    bigint;
begin
    perform mnemo.lock_for_writing();
    v_counted := mnemo.lock_quota();
    perform mnemo.lock_memories(forget_many.ids);
    select count(f.bytes), coalesce(sum(f.bytes), 0) into v_done, v_bytes
    from unnest(forget_many.ids) as w (id) cross join lateral mnemo.forget_one(w.id, v_counted) as f (bytes);
    if v_counted and v_done > 0 then
        perform mnemo.charge(-v_done, -v_bytes);
    end if;
    if v_done > 0 then
        perform mnemo.record_audit('memory.forget', null, jsonb_build_object('memories', v_done));
    end if;
    return v_done;
end
$$;
