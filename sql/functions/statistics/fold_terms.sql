-- Adds the pending changes of one collection to its statistics, and returns how many there were; 0 when there are none or
-- somebody else is at it. Words that no memory holds any more go.
-- Invariant kept: a change leaves mnemo.term_log in the transaction, and in the statement, that adds it: a reader sees it
-- once, whenever it looks. One session at a time folds a collection, so no two wait for each other's words.
create or replace function mnemo.fold_terms(p_tenant text, p_collection text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_folded bigint;
    v_roles  text[];
    v_terms  text[];
begin
    if not pg_try_advisory_xact_lock(hashtextextended(format('mnemo.term:%s:%s', p_tenant, p_collection), 0)) then
        return 0;
    end if;
    with gone as (
        delete from mnemo.term_log l
        where l.tenant = p_tenant and l.collection = p_collection
        returning l.memories, l.words, l.roles, l.terms, l.counts
    ), counted as (
        insert into mnemo.corpus as c (tenant, collection, memories, words)
        select p_tenant, p_collection, greatest(sum(g.memories), 0), greatest(sum(g.words), 0)
        from gone g
        having count(*) > 0
        on conflict (tenant, collection) do update
        set memories = greatest(c.memories + excluded.memories, 0), words = greatest(c.words + excluded.words, 0)
    ), change as (
        select u.role, u.term, sum(u.count) as memories
        from gone g, unnest(g.roles, g.terms, g.counts) as u (role, term, count)
        group by u.role, u.term
        having sum(u.count) <> 0
    ), added as (
        insert into mnemo.term as t (tenant, collection, role, term, memories)
        select p_tenant, p_collection, c.role, c.term, c.memories
        from change c
        on conflict (tenant, collection, role, term) do update set memories = t.memories + excluded.memories
    )
    select (select count(*) from gone), array_agg(c.role), array_agg(c.term) into v_folded, v_roles, v_terms
    from change c
    where c.memories < 0;
    delete from mnemo.term t
    using unnest(v_roles, v_terms) as w (role, term)
    where t.tenant = p_tenant and t.collection = p_collection and t.role = w.role and t.term = w.term and t.memories <= 0;
    perform mnemo.injection_point('terms.folded');
    return v_folded;
end
$$;
