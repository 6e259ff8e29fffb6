-- A subscription by name; MN010 when there is none.
create or replace function mnemo.subscription_named(p_name text) returns mnemo.subscription
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_subscription mnemo.subscription;
begin
    select * into v_subscription from mnemo.subscription s where s.name = p_name;
    if not found then
        raise exception 'unknown subscription %', coalesce(quote_literal(p_name), 'null')
            using errcode = 'MN010', hint = 'Create it with mnemo.subscribe(name, topics).';
    end if;
    return v_subscription;
end
$$;
