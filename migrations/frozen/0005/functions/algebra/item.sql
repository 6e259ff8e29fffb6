-- item(name, hdv): the hypervector that a name stands for, for this tenant. A known name keeps its own; a new one is stored with hdv,
-- or with random_hypervector(name) where hdv is left out. MN001 where hdv is not D bits; MN002 where the name is null
-- or is known with another hdv. A query that stores items does not see them in its own call of cleanup.
create or replace function mnemo.item(name text, hdv bit default null) returns bit
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant text := mnemo.tenant();
    v_hdv    varbit;
begin
    if item.name is null then
        raise exception using errcode = 'MN002', message = 'invalid item: its name is null';
    end if;
    perform mnemo.require_bits(item.hdv);
    select i.hdv into v_hdv from mnemo.item as i where i.tenant = v_tenant and i.name = item.name;
    if not found then
        insert into mnemo.item as i (name, hdv, tenant)
        values (item.name, coalesce(item.hdv, mnemo.random_hypervector(item.name)), v_tenant)
        on conflict (tenant, name) do update set hdv = i.hdv
        returning i.hdv into v_hdv;
    end if;
    if item.hdv <> v_hdv then
        raise exception using errcode = 'MN002',
            message = format('invalid item: %L is known with another hypervector', item.name);
    end if;
    return v_hdv;
end
$$;
