-- Lets a policy tune itself no more; its number stays as it is. MN010 for a policy that is not adaptive.
create or replace function mnemo.remove_adaptive_policy(policy text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from mnemo.adaptive a where a.policy = remove_adaptive_policy.policy;
    if not found then
        raise exception 'policy % is not adaptive', coalesce(quote_literal(policy), 'null') using errcode = 'MN010';
    end if;
end
$$;
