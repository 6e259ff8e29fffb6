-- Gives a partition, or a table that is to become one, the row-level security and the grants of its parent: neither is inherited.
create or replace function mnemo.secure_partition(p_table regclass, p_parent regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_grant record;
begin
    perform mnemo.secure_table(p_table);
    for v_grant in
        select a.grantee::regrole as grantee, string_agg(a.privilege_type, ', ') as privileges
        from pg_class c cross join aclexplode(c.relacl) as a
        where c.oid = p_parent and a.grantee <> c.relowner
        group by a.grantee
    loop
        execute format('grant %s on %s to %s', v_grant.privileges, p_table, v_grant.grantee);
    end loop;
end
$$;
