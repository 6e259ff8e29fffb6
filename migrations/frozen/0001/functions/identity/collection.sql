-- A collection by name; MN004 when there is none.
create or replace function mnemo.collection(p_name text) returns mnemo.collection
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection;
begin
    select * into v_collection from mnemo.collection c where c.name = p_name;
    if not found then
        raise exception 'unknown collection %', coalesce(quote_literal(p_name), 'null')
            using errcode = 'MN004', hint = 'Create it with mnemo.create_collection(name).';
    end if;
    return v_collection;
end
$$;
