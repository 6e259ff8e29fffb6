-- Records what a recall of a tenant returned: one row, no lock, nothing to wait for. Runs as mnemo_engine and takes the tenant from
-- its caller, as mnemo.is_focused does.
create or replace function mnemo.log_access(p_hits mnemo.hit[], p_tenant text, p_context text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into mnemo.access_log (at, memory_ids, tenant, context)
    values (mnemo.now(), array(select h.memory_id from unnest(p_hits) as h), p_tenant, p_context);
end
$$;
