-- Job: folds the collection that has had changes pending longest; returns how many were pending, 0 when none are.
create or replace function mnemo.fold_terms_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_folded bigint;
    v_scope  record;
begin
    for v_scope in
        select l.tenant, l.collection from mnemo.term_log l group by l.tenant, l.collection order by min(l.id)
    loop
        v_folded := mnemo.fold_terms(v_scope.tenant, v_scope.collection);
        if v_folded > 0 then
            return v_folded;
        end if;
    end loop;
    return 0;
end
$$;
