-- role_values(roles, content, attributes, occurred_at): the values that a memory has in the roles of its collection, folded:
-- the attribute of the role's name, where it is a text, a number or true or false, or an array of these; for the role
-- occurred_at the year, the month and the day, in UTC; for the role speaker, where there is no such attribute, what stands
-- before the first colon of a line of dialogue ("Ann: Hello"). At most 200 characters of each.
create or replace function mnemo.role_values(p_roles jsonb, p_content text, p_attributes jsonb, p_occurred_at timestamptz)
returns table (role text, value text)
language sql stable parallel safe rows 5
set search_path = pg_catalog, pg_temp
as $$
    select distinct r.role, btrim(mnemo.spaced_text(left(v.value, 200)))
    from jsonb_object_keys(p_roles) as r (role)
    cross join lateral (
        select p_attributes ->> r.role where jsonb_typeof(p_attributes -> r.role) in ('string', 'number', 'boolean')
        union all
        select e.value #>> '{}'
        from jsonb_array_elements(case jsonb_typeof(p_attributes -> r.role) when 'array' then p_attributes -> r.role else '[]' end) as e (value)
        where jsonb_typeof(e.value) in ('string', 'number', 'boolean')
        union all
        select to_char(p_occurred_at at time zone 'UTC', f.format)
        from (values ('YYYY'), ('YYYY-MM'), ('YYYY-MM-DD')) as f (format)
        where r.role = 'occurred_at'
        union all
        select substring(left(p_content, 100) from '^\s*([^:\n]{1,60}):\s')
        where r.role = 'speaker' and (p_attributes -> 'speaker') is null
    ) as v (value)
    where btrim(mnemo.spaced_text(left(v.value, 200))) <> ''
$$;
