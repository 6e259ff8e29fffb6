-- The name, quoted for a query, of the function of a job; MN002 where no function of that name takes one jsonb and
-- returns bigint.
create or replace function mnemo.job_function(p_job text, p_function text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts text[];
    v_name  text;
begin
    begin
        v_parts := parse_ident(p_function);
    exception when data_exception then
        v_parts := null;
    end;
    if cardinality(v_parts) is distinct from 2 then
        raise exception 'job %: % is not a schema-qualified name of a function, such as mnemo.consolidate_step',
                coalesce(quote_literal(p_job), 'null'), coalesce(quote_literal(p_function), 'null') using errcode = 'MN002';
    end if;
    v_name := format('%I.%I', v_parts[1], v_parts[2]);
    if not exists (
        select from pg_proc p
        where p.oid = to_regprocedure(v_name || '(jsonb)') and p.prokind = 'f' and p.prorettype = 'bigint'::regtype and not p.proretset
    ) then
        raise exception 'job %: there is no function %(jsonb) that returns bigint', coalesce(quote_literal(p_job), 'null'), v_name
            using errcode = 'MN002';
    end if;
    return v_name;
end
$$;
