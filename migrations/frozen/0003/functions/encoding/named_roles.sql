-- named_roles(roles, named, collection): the roles given with a query and their values, folded; a value
-- is a text, a number or true or false, or an array of these. For occurred_at a day names its month and year as well.
-- MN002 for a role that the collection does not have, and for any other value.
create or replace function mnemo.named_roles(p_roles jsonb, p_named jsonb, p_collection text)
returns table (role text, value text)
language plpgsql immutable parallel safe
rows 2
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bad text;
begin
    if jsonb_typeof(p_named) <> 'object' then
        raise exception 'roles must be a JSON object, not %', jsonb_typeof(p_named) using errcode = 'MN002';
    end if;
    select n.key into v_bad from jsonb_object_keys(p_named) as n (key) where not p_roles ? n.key order by n.key limit 1;
    if found then
        raise exception 'collection % has no role %', quote_literal(p_collection), quote_literal(v_bad) using errcode = 'MN002',
            hint = 'Roles are part of a collection''s encoding: see mnemo.create_collection.';
    end if;
    return query
        select distinct n.key, btrim(mnemo.spaced_text(left(p.value, 200)))
        from jsonb_each(p_named) as n
        cross join lateral jsonb_array_elements(case jsonb_typeof(n.value) when 'array' then n.value else jsonb_build_array(n.value) end) as e (value)
        cross join lateral (
            select e.value #>> '{}'
            union
            select left(e.value #>> '{}', u.length) from (values (4), (7)) as u (length)
            where n.key = 'occurred_at' and e.value #>> '{}' ~ '^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$'
        ) as p (value)
        where jsonb_typeof(e.value) in ('string', 'number', 'boolean') and btrim(mnemo.spaced_text(left(p.value, 200))) <> '';
    if not found and p_named <> '{}' then
        raise exception 'no role of % has a value: it is a text, a number, true or false, or an array of these', p_named using errcode = 'MN002';
    end if;
end
$$;
