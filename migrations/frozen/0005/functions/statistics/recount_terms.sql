-- Counts the statistics of a collection of this tenant anew, from what is stored; returns how many memories there are.
-- For statistics that have gone astray, were decayed, or began before the memories did. Writers wait for nothing: what is
-- written meanwhile is pending, and stays so. Reads and cuts every text: about 100 us a memory.
-- Invariant kept: the memories counted are those whose changes were pending or folded when it began, in one snapshot.
-- Waits for a session that folds the same collection, to its end. MN013 when memories of the collection are archived: their
-- words are not here to be counted.
create or replace function mnemo.recount_terms(collection text default 'memories') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_collection mnemo.collection := mnemo.collection(recount_terms.collection);
    v_tenant     text := mnemo.tenant();
    v_last       bigint;
    v_memories   bigint;
    v_words      bigint;
    v_roles      text[];
    v_terms      text[];
    v_counts     bigint[];
begin
    if exists (select from mnemo.archived_memory a where a.tenant = v_tenant and a.collection = v_collection.name) then
        raise exception 'collection % has archived memories, whose words are not in the database', quote_literal(v_collection.name)
            using errcode = 'MN013', hint = 'mnemo restore brings them back.';
    end if;
    perform pg_advisory_xact_lock(hashtextextended(format('mnemo.term:%s:%s', v_tenant, v_collection.name), 0));
    -- One statement, one snapshot: a write is in it with its pending change, or neither is.
    with gone as (
        delete from mnemo.term_log l where l.tenant = v_tenant and l.collection = v_collection.name
        returning l.id
    ), noted as (
        select n.role, n.term, sum(n.memories) as memories, sum(n.words) as words
        from mnemo.memory m
        cross join lateral (
            select '' as role, t.word as term, 1 as memories, t.count as words from mnemo.tokens(m.content) as t
            union all
            select v.role, v.value, 1, 0
            from mnemo.role_values(v_collection.encoding -> 'roles', m.content, m.attributes, m.occurred_at) as v
            where v_collection.encoding -> 'roles' <> '{}' and length(v.value) <= 200
            union all
            select null, null, 1, 0
        ) as n
        where m.tenant = v_tenant and m.collection = v_collection.name and v_collection.encoder = 'composite'
          and not mnemo.is_sealed(m.content)
        group by n.role, n.term
    )
    select (select max(g.id) from gone g), coalesce(sum(n.memories) filter (where n.role is null), 0), coalesce(sum(n.words), 0),
           array_agg(n.role) filter (where n.role is not null), array_agg(n.term) filter (where n.role is not null),
           array_agg(n.memories) filter (where n.role is not null)
    into v_last, v_memories, v_words, v_roles, v_terms, v_counts
    from noted n;
    delete from mnemo.term t where t.tenant = v_tenant and t.collection = v_collection.name;
    insert into mnemo.term (tenant, collection, role, term, memories)
    select v_tenant, v_collection.name, u.role, u.term, u.memories
    from unnest(v_roles, v_terms, v_counts) as u (role, term, memories)
    order by u.role collate "C", u.term collate "C";
    insert into mnemo.corpus as c (tenant, collection, memories, words, folded)
    values (v_tenant, v_collection.name, v_memories, v_words, coalesce(v_last, 0))
    on conflict (tenant, collection) do update
    set memories = v_memories, words = v_words, folded = greatest(c.folded, v_last);
    perform mnemo.injection_point('terms.recounted');
    return v_memories;
end
$$;
