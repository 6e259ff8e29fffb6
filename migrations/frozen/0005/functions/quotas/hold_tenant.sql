-- Takes what a tenant has, or may get, in the store in use out of it. Part of the transaction that changes its residency, which
-- holds segments and copies.
create or replace function mnemo.hold_tenant(p_tenant text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempt record;
begin
    for v_attempt in
        select distinct s.attempt, case s.state when 'exporting' then 'sealed' else 'archived' end as state
        from mnemo.segment s
        where s.state = 'exporting' and exists (select from mnemo.activity a where a.segment = s.segment and a.tenant = p_tenant)
           or s.state = 'compacting' and exists (select from mnemo.archived_memory a where a.segment = s.segment and a.tenant = p_tenant)
    loop
        perform mnemo.drop_objects(v_attempt.attempt);
        perform mnemo.end_attempt(v_attempt.attempt, v_attempt.state);
    end loop;
    insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)
    select a.bucket, a.id, 'cold', 'residency', mnemo.now()
    from mnemo.archived_memory a
    where a.tenant = p_tenant
    order by a.id
    on conflict (id, bucket) do nothing;
    if exists (select from mnemo.activity a where a.tenant = p_tenant)
       or exists (select from mnemo.archived_memory a where a.tenant = p_tenant)
       or exists (select from mnemo.tombstone t where t.tenant = p_tenant) then
        perform mnemo.drop_objects(c.attempt) from mnemo.copy_attempt c;
        delete from mnemo.copy_attempt;
        if exists (select from mnemo.copy) then
            perform mnemo.redo_copies((select max(c.number) from mnemo.copy c));
        end if;
    end if;
end
$$;
