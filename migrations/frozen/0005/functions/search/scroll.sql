-- The next k memories of a collection after one of them (null: from the start), in order of their ids, which is
-- that of their arrival. Only memories that match the filter.
create or replace function mnemo.scroll(
    collection text default 'memories',
    after      uuid default null,
    k          integer default 100,
    filter     jsonb default '{}'
) returns setof mnemo.memory
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_variable
declare
    v_path jsonpath := mnemo.filter_jsonpath(filter);
begin
    if k is null or k not between 1 and 100000 then
        raise exception 'k must be between 1 and 100000, not %', coalesce(k::text, 'null') using errcode = 'MN002';
    end if;
    perform mnemo.collection(collection);
    return query
    select m.*
    from mnemo.memory m
    where m.tenant = (select mnemo.tenant()) and m.collection = scroll.collection
      and (after is null or m.id > after)
      and (v_path is null or m.attributes @@ v_path)
    order by m.id
    limit k;
end
$$;
