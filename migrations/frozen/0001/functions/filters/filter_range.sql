-- The range that a filter asks of one attribute declared by mnemo.index_attribute: conditions at its top level or
-- inside $and. It only narrows what the whole filter is then checked on. No row when there is none.
create or replace function mnemo.filter_range(filter jsonb)
returns table (attribute text, type text, low_number numeric, high_number numeric, low_text text, high_text text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive part (value) as (
        select filter_range.filter
        union all
        select e.value from part p, jsonb_array_elements(p.value -> '$and') as e (value)
    ), condition as (
        select r.name, r.type, op.key as operator, op.value as operand
        from part p
        cross join lateral jsonb_each(p.value) as f (key, value)
        join mnemo.ranged_attribute r on r.name = f.key
        cross join lateral jsonb_each(case when jsonb_typeof(f.value) = 'object' then f.value else jsonb_build_object('$eq', f.value) end) as op (key, value)
        where op.key in ('$gt', '$gte', '$lt', '$lte', '$eq')
          and jsonb_typeof(op.value) = case r.type when 'number' then 'number' else 'string' end
    )
    select c.name, c.type,
           max((operand #>> '{}')::numeric) filter (where c.type = 'number' and operator in ('$gt', '$gte', '$eq')),
           min((operand #>> '{}')::numeric) filter (where c.type = 'number' and operator in ('$lt', '$lte', '$eq')),
           max(left(operand #>> '{}', 500) collate "C") filter (where c.type = 'text' and operator in ('$gt', '$gte', '$eq')),
           min(left(operand #>> '{}', 500) collate "C") filter (where c.type = 'text' and operator in ('$lt', '$lte', '$eq'))
    from condition c
    group by c.name, c.type
    order by c.name
    limit 1
$$;
