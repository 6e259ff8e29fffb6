-- item(name, hdv): the hypervector that a name stands for. A known name keeps its own; a new one is stored with hdv,
-- or with random_hypervector(name) where hdv is left out. MN001 where hdv is not D bits; MN002 where the name is null
-- or is known with another hdv. A query that stores items does not see them in its own call of cleanup.
create or replace function mnemo.item(p_name text, p_hdv bit default null) returns bit
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_hdv varbit;
begin
    if p_name is null then
        raise exception using errcode = 'MN002', message = 'invalid item: its name is null';
    end if;
    perform mnemo.require_bits(p_hdv);
    select i.hdv into v_hdv from mnemo.item as i where i.name = p_name;
    if not found then
        insert into mnemo.item as i (name, hdv)
        values (p_name, coalesce(p_hdv, mnemo.random_hypervector(p_name)))
        on conflict (name) do update set hdv = i.hdv
        returning i.hdv into v_hdv;
    end if;
    if p_hdv <> v_hdv then
        raise exception using errcode = 'MN002',
            message = format('invalid item: %L is known with another hypervector', p_name);
    end if;
    return v_hdv;
end
$$;
