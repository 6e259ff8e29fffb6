-- What is to be encoded with each of some memories: themselves and those around them that exist now, in order of time, then
-- of arrival, in their own session, each with the share that its distance gives it; share 256 is the memory itself. Roles
-- and values are those of the memory. segment, place and writer name the version that was read: see mnemo.stage_hypervectors.
-- Never a memory of another tenant, collection, context or session. Left out: what mnemo.encodable leaves out.
create or replace function mnemo.surroundings(p_ids uuid[])
returns table (
    id uuid, segment integer, place tid, writer xid, tenant text, collection text, context text, roles text[], "values" text[],
    members uuid[], shares integer[], texts text[], embeddings bytea[]
)
language sql stable
rows 500
set search_path = pg_catalog, pg_temp
-- Nothing is known of how many rows these are. What is looked up one by one says so below; the rest must not be compared each with each.
set enable_nestloop = off
set enable_mergejoin = off
as $$
    with share as materialized (
        select c.name as collection, s.distance, s.share
        from mnemo.collection c
        cross join lateral (
            select 0 as distance, 256 as share
            union all
            select -b.place::integer, b.share::integer from jsonb_array_elements_text(c.encoding -> 'before') with ordinality as b (share, place)
            union all
            select a.place::integer, a.share::integer from jsonb_array_elements_text(c.encoding -> 'after') with ordinality as a (share, place)
        ) as s
        where c.encoder = 'composite' and s.share > 0
    ), wanted as materialized (
        select m.*, dense_rank() over (order by m.tenant, m.collection, m.context, m.session, m.occurred_at) as moment
        from mnemo.encodable(p_ids) as e
        cross join lateral (
            select o.id, o.segment, o.ctid as place, o.xmin as writer, o.tenant, o.collection, o.context, o.session, o.occurred_at, o.content, o.attributes
            from mnemo.activity a
            join mnemo.memory o on o.segment = a.segment and o.bucket = a.bucket and o.id = a.id
            where a.bucket = mnemo.bucket_of(e.id) and a.id = e.id
            offset 0
        ) as m
    ), line as materialized (
        select o.moment, n.id, row_number() over around as place,
               array_agg(n.id) over around as members, array_agg(n.segment) over around as segments
        from (select distinct w.moment, w.tenant, w.collection, w.context, w.session, w.occurred_at from wanted w) as o
        cross join lateral mnemo.neighbours(o.tenant, o.collection, o.context, o.session, o.occurred_at) as n
        window around as (partition by o.moment order by n.occurred_at, n.id rows between 3 preceding and 3 following)
    )
    select w.id, w.segment, w.place, w.writer, w.tenant, w.collection, w.context, r.roles, r.values,
           g.members, g.shares, g.texts, g.embeddings
    from wanted w
    join line l on l.moment = w.moment and l.id = w.id
    cross join lateral (
        select array_agg(n.id order by s.distance) as members, array_agg(s.share order by s.distance) as shares,
               array_agg(m.content order by s.distance) as texts, array_agg(m.embedding order by s.distance) as embeddings
        from unnest(l.members, l.segments) with ordinality as n (id, segment, place)
        join share s on s.collection = w.collection and s.distance = n.place - least(l.place, 4)
        cross join lateral (
            select o.content, o.embedding from mnemo.memory o
            where o.segment = n.segment and o.bucket = mnemo.bucket_of(n.id) and o.id = n.id
            offset 0
        ) as m
    ) as g
    cross join lateral (
        select array_agg(v.role) as roles, array_agg(v.value) as values
        from mnemo.collection c, mnemo.role_values(c.encoding -> 'roles', w.content, w.attributes, w.occurred_at) as v
        where c.name = w.collection
    ) as r
$$;
