-- Has every memory of a tenant copied that is not archived, where a copy policy is enabled: it may be in the store from now on.
create or replace function mnemo.queue_tenant(p_tenant text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into mnemo.uncopied (at, id, bucket, forgotten, tenant)
    select mnemo.now(), a.id, a.bucket, false, a.tenant
    from mnemo.activity a
    where a.tenant = p_tenant and exists (select from mnemo.policy p where p.kind = 'copy' and p.enabled)
    order by a.id
$$;
