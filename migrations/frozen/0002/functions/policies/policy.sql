-- A policy by name and kind (null: any); MN010 when there is none.
create or replace function mnemo.policy(p_name text, p_kind text) returns mnemo.policy
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy mnemo.policy;
begin
    select * into v_policy from mnemo.policy p where p.name = p_name and p.kind = coalesce(p_kind, p.kind);
    if not found then
        raise exception 'unknown % %', concat_ws(' ', p_kind, 'policy'), coalesce(quote_literal(p_name), 'null')
            using errcode = 'MN010', hint = coalesce((select format('It is of kind %s.', p.kind) from mnemo.policy p where p.name = p_name),
                                                     'The table mnemo.policy lists them.');
    end if;
    return v_policy;
end
$$;
