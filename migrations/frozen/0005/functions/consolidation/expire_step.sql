-- Forgets the next memories whose time is up by a ttl policy, oldest first; returns how many. Pinned ones never expire, archived ones do.
-- Deadlines that changed rules made stale are computed first.
create or replace function mnemo.expire_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := current_setting('mnemo.tenant', true);
    v_due    record;
    v_done   bigint := 0;
begin
    v_done := mnemo.recompute_step();
    if v_done > 0 then
        return v_done;
    end if;
    perform mnemo.lock_for_writing();
    for v_due in
        select a.tenant, array_agg(a.id order by a.bucket, a.id) as ids
        from ((select x.tenant, x.bucket, x.id from mnemo.activity x
               where x.expires_at <= mnemo.now() order by x.expires_at limit mnemo.setting('move_batch_rows')::integer)
              union all
              (select x.tenant, x.bucket, x.id from mnemo.archived_memory x
               where x.expires_at <= mnemo.now() order by x.expires_at limit mnemo.setting('move_batch_rows')::integer)) as a
        group by a.tenant
        order by a.tenant
    loop
        perform set_config('mnemo.tenant', v_due.tenant, true);
        -- Quotas in the order of tenants, each before its rows.
        perform mnemo.lock_quota();
        perform mnemo.lock_memories(v_due.ids);
        perform mnemo.injection_point('expire.locked');
        -- Asked again, now that nobody can pin them: a memory pinned meanwhile has no expires_at.
        v_done := v_done + mnemo.forget_many(array(
            select a.id
            from unnest(v_due.ids) as w (id) join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
            where a.expires_at <= mnemo.now()
            union all
            select a.id
            from unnest(v_due.ids) as w (id) join mnemo.archived_memory a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
            where a.expires_at <= mnemo.now()));
    end loop;
    perform set_config('mnemo.tenant', coalesce(v_tenant, ''), true);
    return v_done;
end
$$;
