-- The roles, which are of the whole cluster: databases share them. None can log in; people and programs are made members.
-- mnemo_owner owns everything; mnemo_api and mnemo_engine own the functions that act for tenants (grants.sql) and have no members.
do $$
declare
    v_role record;
begin
    for v_role in
        select * from (values
            ('mnemo_owner', 'Mnemo: owns the schema; its members administer the installation'),
            ('mnemo_api', 'Mnemo: runs what tenants call, confined to their rows; no members'),
            ('mnemo_engine', 'Mnemo: looks candidates up behind row-level security; no members'),
            ('mnemo_app', 'Mnemo: remembers and recalls for the tenants granted to it'),
            ('mnemo_worker', 'Mnemo: runs jobs, moves, the archive and the event bus, for all tenants'),
            ('mnemo_reader', 'Mnemo: reads views, for dashboards, of the tenants granted to it'),
            ('mnemo_vault', 'Mnemo: keeps vault items of the tenants granted to it')
        ) as r (name, description)
    loop
        if to_regrole(v_role.name) is null then
            begin
                execute format('create role %I nologin noinherit', v_role.name);
            exception
                -- Another database of the cluster was installed meanwhile.
                when duplicate_object or unique_violation then null;
                when insufficient_privilege then
                    raise exception 'role % is missing and role % may not create it', v_role.name, current_user
                        using errcode = 'MN008', hint = format('Have it created: create role %I nologin noinherit', v_role.name);
            end;
            execute format('comment on role %I is %L', v_role.name, v_role.description);
        end if;
    end loop;
    -- To hand objects over one must be a member of whoever gets them.
    if not (pg_has_role(current_user, 'mnemo_owner', 'set') and pg_has_role(current_user, 'mnemo_api', 'set')
            and pg_has_role(current_user, 'mnemo_engine', 'set')) then
        begin
            execute format('grant mnemo_owner, mnemo_api, mnemo_engine to %I with inherit true, set true', current_user);
        exception when insufficient_privilege then
            raise exception 'role % is no member of mnemo_owner, mnemo_api and mnemo_engine', current_user
                using errcode = 'MN008',
                      hint = format('Have a superuser run: grant mnemo_owner, mnemo_api, mnemo_engine to %I', current_user);
        end;
    end if;
    -- A partition is dropped, and a copy begun, once nobody's snapshot needs what was before: that must be visible.
    if not pg_has_role('mnemo_owner', 'pg_read_all_stats', 'usage') then
        begin
            grant pg_read_all_stats to mnemo_owner with inherit true;
        exception when insufficient_privilege then
            raise exception 'role mnemo_owner must see the snapshots of others, and role % may not grant that', current_user
                using errcode = 'MN008', hint = 'Have a superuser run: grant pg_read_all_stats to mnemo_owner with inherit true';
        end;
    end if;
end
$$;
