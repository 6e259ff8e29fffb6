-- Forgets objects that are deleted from the store. Only those whose deletion was noted before (mnemo.claim_garbage).
create or replace function mnemo.forget_objects(keys text[]) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_gone bigint;
begin
    delete from mnemo.object o where o.key = any (forget_objects.keys) and o.state = 'deleting';
    get diagnostics v_gone = row_count;
    perform mnemo.injection_point('gc.forgotten');
    return v_gone;
end
$$;
