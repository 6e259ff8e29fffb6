-- mnemo.publish_all in the name of a tenant, whosever session it is: jobs work for all tenants.
create or replace function mnemo.publish_for(p_tenant text, p_topic text, p_memory_ids uuid[], p_payloads jsonb[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_caller text := coalesce(current_setting('mnemo.tenant', true), '');
begin
    perform set_config('mnemo.tenant', p_tenant, true);
    perform mnemo.publish_all(p_topic, array_fill(null::text, array[cardinality(p_payloads)]), p_memory_ids, p_payloads);
    perform set_config('mnemo.tenant', v_caller, true);
end
$$;
