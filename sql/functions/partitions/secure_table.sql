-- Row-level security, forced, for a table with rows of tenants; policies are not inherited, so every partition gets its own.
-- With a column tenant, those who act for a tenant see its rows alone. Without one only the engine comes near it.
create or replace function mnemo.secure_table(p_table regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy name;
begin
    execute format('alter table %s owner to mnemo_owner', p_table);
    execute format('alter table %s enable row level security, force row level security', p_table);
    for v_policy in select p.polname from pg_policy p where p.polrelid = p_table loop
        execute format('drop policy %I on %s', v_policy, p_table);
    end loop;
    if exists (select from pg_attribute a where a.attrelid = p_table and a.attname = 'tenant' and not a.attisdropped) then
        -- Asked once a statement, which the parentheses are for.
        execute format('create policy tenant_rows on %s to mnemo_api, mnemo_app, mnemo_reader, mnemo_vault '
                       'using (tenant = (select mnemo.tenant()))', p_table);
        execute format('create policy engine_rows on %s to mnemo_owner, mnemo_engine, mnemo_worker using (true)', p_table);
    else
        execute format('create policy engine_rows on %s to mnemo_owner, mnemo_engine, mnemo_worker, mnemo_api using (true)', p_table);
    end if;
end
$$;
