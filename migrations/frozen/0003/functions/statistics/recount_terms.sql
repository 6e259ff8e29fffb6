-- Counts the statistics of a collection of this tenant anew, from what is stored; returns how many memories there are.
-- For statistics that have gone astray, or began before the memories did. Writers wait for nothing: what is written
-- meanwhile is pending, and stays so.
-- Invariant kept: the memories counted are those whose changes were pending or folded when it began, in one snapshot.
create or replace function mnemo.recount_terms(collection text default 'memories') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_collection mnemo.collection := mnemo.collection(recount_terms.collection);
    v_tenant     text := mnemo.tenant();
    v_counted    bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended(format('mnemo.term:%s:%s', v_tenant, v_collection.name), 0));
    -- One statement, one snapshot: a write is in it with its pending change, or neither is.
    with gone as (
        delete from mnemo.term_log l where l.tenant = v_tenant and l.collection = v_collection.name
    ), terms_gone as (
        delete from mnemo.term t where t.tenant = v_tenant and t.collection = v_collection.name
        returning t.role, t.term
    ), memory as materialized (
        select m.id, m.bucket, m.content, m.attributes, m.occurred_at
        from mnemo.memory m
        where m.tenant = v_tenant and m.collection = v_collection.name and v_collection.encoder = 'composite'
    ), token as materialized (
        select m.id, t.word, t.count from memory m, mnemo.tokens(m.content) as t
    ), counted as (
        select '' as role, t.word as term, count(*) as memories from token t group by t.word
        union all
        select v.role, v.value, count(*)
        from memory m, mnemo.role_values(v_collection.encoding -> 'roles', m.content, m.attributes, m.occurred_at) as v
        group by v.role, v.value
    ), total as (
        insert into mnemo.corpus as c (tenant, collection, memories, words)
        values (v_tenant, v_collection.name, (select count(*) from memory), (select coalesce(sum(t.count), 0) from token t))
        on conflict (tenant, collection) do update set memories = excluded.memories, words = excluded.words
        returning c.memories
    ), listed as (
        select array_agg(c.role) as roles, array_agg(c.term) as terms, array_agg(c.memories) as counts from counted c
    ), pending as (
        -- Deleted and inserted in one statement, the same rows would collide: they go through the log.
        insert into mnemo.term_log (tenant, collection, memories, words, roles, terms, counts)
        select v_tenant, v_collection.name, 0, 0, coalesce(l.roles, '{}'), coalesce(l.terms, '{}'), coalesce(l.counts, '{}') from listed l
    )
    select t.memories into v_counted from total t;
    perform mnemo.fold_terms(v_tenant, v_collection.name);
    return v_counted;
end
$$;
