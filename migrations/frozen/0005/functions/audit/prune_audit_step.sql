-- Removes entries of one chain of the audit that are older than audit_keep_days, at most {"rows": 10000}, and returns how many;
-- 0 when none is left, or audit_keep_days is 0. A chain that does not verify keeps its entries (mnemo.doctor tells).
create or replace function mnemo.prune_audit_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days   double precision := mnemo.setting('audit_keep_days');
    v_kept   timestamptz := clock_timestamp() - make_interval(secs => v_days * 86400);
    v_tenant text;
    v_done   bigint;
begin
    if v_days = 0 then
        return 0;
    end if;
    for v_tenant in
        select h.tenant from mnemo.audit_head h
        -- Not for its own entries: each removal leaves one.
        where (select e.at from mnemo.audit e where e.tenant = h.tenant and e.action <> 'audit.prune' order by e.seq limit 1) < v_kept
        order by h.tenant
    loop
        begin
            v_done := mnemo.prune_audit(v_kept, v_tenant, coalesce((arguments ->> 'rows')::bigint, 10000));
        exception when data_corrupted then
            raise warning '%', sqlerrm;
            continue;
        end;
        if v_done > 0 then
            return v_done;
        end if;
    end loop;
    return 0;
end
$$;
