-- probe(id, role, candidates, k): which values a memory most likely has in a role, read from its hypervector alone: unbound
-- from random_hypervector('role:' || role) and compared with the hypervector of each candidate (mnemo.encode_value), of the
-- collection's values in that role, the 1,000 most frequent, where none are given. The k nearest, nearest first, equal ones
-- by value. similarity: 0.5 is chance; z: standard deviations, sqrt(D) / 2 bits, above chance; the best of n values that
-- are not in the memory lies about sqrt(2 ln n) above it. A hypervector that was given with the memory says what its maker
-- bound in it. MN005 for an id that this tenant does not have, MN002 for a role that its collection does not have, and for
-- k out of 1 to 1,000.
create or replace function mnemo.probe(id uuid, role text, candidates text[] default null, k integer default 5)
returns table (value text, similarity double precision, z double precision)
language plpgsql stable
rows 5
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant     text := mnemo.tenant();
    v_memory     mnemo.memory;
    v_collection mnemo.collection;
    v_hdv        bit varying;
    v_values     text[] := probe.candidates;
begin
    if probe.k is null or probe.k not between 1 and 1000 then
        raise exception 'k must be between 1 and 1000, not %', coalesce(probe.k::text, 'null') using errcode = 'MN002';
    end if;
    select m.* into v_memory from mnemo.memory m where m.bucket = mnemo.bucket_of(probe.id) and m.id = probe.id and m.tenant = v_tenant;
    if not found then
        perform mnemo.raise_unknown_memory(probe.id);
    end if;
    v_collection := mnemo.collection(v_memory.collection);
    if (v_collection.encoding -> 'roles' ? probe.role) is not true then
        raise exception 'collection % has no role %', quote_literal(v_collection.name), coalesce(quote_literal(probe.role), 'null')
            using errcode = 'MN002', hint = 'Roles are part of a collection''s encoding: see mnemo.create_collection.';
    end if;
    v_hdv := mnemo.unbind(mnemo.bind_context(v_collection, v_memory.hdv, v_memory.context), mnemo.random_hypervector('role:' || probe.role));
    if v_values is null then
        v_values := array(
            select n.term
            from (
                select t.term, t.memories
                from mnemo.term t
                where t.tenant = v_tenant and t.collection = v_collection.name and t.role = probe.role
                union all
                -- As in mnemo.term_counts: what is not added up yet counts while the collection is young.
                select u.term, u.count
                from mnemo.term_log l, unnest(l.roles, l.terms, l.counts) as u (role, term, count)
                where l.tenant = v_tenant and l.collection = v_collection.name and u.role = probe.role
                  and coalesce((select c.memories from mnemo.corpus c where c.tenant = v_tenant and c.collection = v_collection.name), 0) < 2000
            ) as n
            group by n.term
            having sum(n.memories) > 0
            order by sum(n.memories) desc, n.term
            limit 1000);
    end if;
    return query
        select s.value, s.similarity, (2 * s.similarity - 1) * sqrt({bits}::double precision)
        from (
            select v.value, mnemo.similarity(v_hdv, mnemo.value_hypervector(v.value, v_collection.encoding)) as similarity
            from (select distinct c.value from unnest(v_values) as c (value)) as v
        ) as s
        where s.similarity is not null
        order by s.similarity desc, s.value
        limit probe.k;
end
$$;
