-- Notes in mnemo.term_log that memories of this tenant came (p_sign 1) or went (-1), those of composite collections: one
-- row a collection. Private ones are not noted. Nothing is locked and nobody waits; mnemo.fold_terms adds it up.
-- Invariant kept: the same memory is noted alike when it comes and when it goes: a moment that is not given is mnemo.now(),
-- as mnemo.resolve_keys stores it. Values longer than 200 characters are no statistics: no query could name one
-- (mnemo.query_roles), and an index row may be no longer.
create or replace function mnemo.log_terms(p_drafts mnemo.draft[], p_sign integer) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with memory as materialized (
        select d.collection, d.terms, d.words, d.content, d.attributes, coalesce(d.occurred_at, mnemo.now()) as occurred_at,
               c.encoding -> 'roles' as roles
        from unnest(p_drafts) as d
        join mnemo.collection c on c.name = d.collection
        where c.encoder = 'composite' and not mnemo.is_sealed(d.content)
    ), counted as (
        select m.collection, '' as role, t.term, count(*) as memories
        from memory m, unnest(m.terms) as t (term)
        where octet_length(t.term) <= 256
        group by m.collection, t.term
        union all
        select m.collection, v.role, v.value, count(*)
        from memory m, mnemo.role_values(m.roles, m.content, coalesce(m.attributes, '{}'), m.occurred_at) as v
        -- Asked only where there can be any: it takes longer than all the words.
        where (m.attributes ?| array(select jsonb_object_keys(m.roles)) or m.roles ? 'occurred_at'
               or (m.roles ? 'speaker' and strpos(left(m.content, 100), ':') > 0))
          and length(v.value) <= 200
        group by m.collection, v.role, v.value
    ), listed as (
        select c.collection, array_agg(c.role) as roles, array_agg(c.term) as terms, array_agg(p_sign * c.memories) as counts
        from counted c
        group by c.collection
    )
    insert into mnemo.term_log (tenant, collection, memories, words, roles, terms, counts)
    select mnemo.tenant(), s.collection, p_sign * s.memories, p_sign * s.words,
           coalesce(l.roles, '{}'), coalesce(l.terms, '{}'), coalesce(l.counts, '{}')
    from (select m.collection, count(*) as memories, coalesce(sum(m.words), 0) as words from memory m group by m.collection) as s
    left join listed l on l.collection = s.collection
$$;
