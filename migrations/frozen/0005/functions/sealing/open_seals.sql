-- The wrapped data keys of sealed memories of this tenant, for a client that has the keys of their epochs; those that are gone
-- are left out. That they were asked for is in the audit, and how many. For mnemo_vault.
create or replace function mnemo.open_seals(ids uuid[]) returns table (id uuid, tenant text, epoch integer, wrapped bytea)
language plpgsql volatile
rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
    v_count bigint;
begin
    return query
    select d.id, d.tenant, d.epoch, d.wrapped
    from mnemo.data_key d
    where d.id = any (open_seals.ids) and d.tenant = mnemo.tenant() and d.purpose = 'memory';
    get diagnostics v_count = row_count;
    if v_count > 0 then
        perform mnemo.record_audit('memory.open', null, jsonb_build_object('memories', v_count));
    end if;
end
$$;
