-- Job: folds the collections that have had changes pending longest, until some 1,000 are folded; returns how many were, 0
-- when none are pending.
create or replace function mnemo.fold_terms_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_enough constant bigint := 1000;
    v_folded bigint := 0;
    v_scope  record;
begin
    for v_scope in
        select l.tenant, l.collection from mnemo.term_log l group by l.tenant, l.collection order by min(l.id)
    loop
        v_folded := v_folded + mnemo.fold_terms(v_scope.tenant, v_scope.collection);
        exit when v_folded >= c_enough;
    end loop;
    return v_folded;
end
$$;
