-- query_roles(query, collection, given): the roles of a query and their values: those given, and for every other role of the
-- collection its values that stand in the text as one to three words in a row: who asks "When did Caroline ..." means first
-- what Caroline said.
create or replace function mnemo.query_roles(p_query text, p_collection mnemo.collection, p_given jsonb)
returns table (role text, value text)
language plpgsql stable
rows 2
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_roles jsonb := p_collection.encoding -> 'roles';
    v_spans text[];
    v_open  text[];
    v_words text[] := string_to_array(btrim(mnemo.spaced_text(left(p_query, 2000))), ' ');
begin
    return query
        select n.role, n.value from mnemo.named_roles(v_roles, p_given, p_collection.name) as n;
    if v_roles = '{}' or v_words is null then
        return;
    end if;
    v_spans := array(
        select array_to_string(v_words[i : i + n], ' ') from generate_subscripts(v_words, 1) as i, generate_series(0, 2) as n);
    v_open := array(select r.role from jsonb_object_keys(v_roles) as r (role) where not p_given ? r.role and r.role <> 'occurred_at');
    return query
        select t.role, t.term
        from mnemo.term t
        where t.tenant = (select mnemo.tenant()) and t.collection = p_collection.name and t.role = any (v_open) and t.term = any (v_spans);
    if coalesce((select c.memories from mnemo.corpus c where c.tenant = (select mnemo.tenant()) and c.collection = p_collection.name), 0) < 2000 then
        -- As in mnemo.term_counts: what is not added up yet counts while the collection is young.
        return query
            select distinct u.role, u.term
            from mnemo.term_log l, unnest(l.roles, l.terms) as u (role, term)
            where l.tenant = (select mnemo.tenant()) and l.collection = p_collection.name and u.role = any (v_open) and u.term = any (v_spans)
              and not exists (select from mnemo.term t where t.tenant = l.tenant and t.collection = l.collection
                                                         and t.role = u.role and t.term = u.term);
    end if;
end
$$;
