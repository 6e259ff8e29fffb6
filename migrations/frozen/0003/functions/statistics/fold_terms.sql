-- Adds pending changes of one collection to its statistics, the oldest 1,000 rows of them, and returns how many there were;
-- 0 when there are none or somebody else is at it. Words that no memory holds any more go.
-- Invariant kept: a change leaves mnemo.term_log in the transaction, and in the statement, that adds it: a reader sees it
-- once, whenever it looks. In the order of ids a memory comes before it goes. One session at a time folds a collection,
-- so no two wait for each other's words.
create or replace function mnemo.fold_terms(p_tenant text, p_collection text) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_folded   bigint;
    v_last     bigint;
    v_memories bigint;
    v_words    bigint;
    v_roles    text[];
    v_terms    text[];
begin
    if not pg_try_advisory_xact_lock(hashtextextended(format('mnemo.term:%s:%s', p_tenant, p_collection), 0)) then
        return 0;
    end if;
    with gone as (
        delete from mnemo.term_log l
        where l.id = any (array(
            select o.id from mnemo.term_log o where o.tenant = p_tenant and o.collection = p_collection order by o.id limit 1000))
        returning l.id, l.memories, l.words, l.roles, l.terms, l.counts
    ), change as (
        select u.role, u.term, sum(u.count) as memories
        from gone g, unnest(g.roles, g.terms, g.counts) as u (role, term, count)
        group by u.role, u.term
        having sum(u.count) <> 0
        -- In the order of the index, whose pages are then met one after another.
        order by u.role collate "C", u.term collate "C"
    ), added as (
        insert into mnemo.term as t (tenant, collection, role, term, memories)
        select p_tenant, p_collection, c.role, c.term, c.memories
        from change c
        on conflict (tenant, collection, role, term) do update set memories = t.memories + excluded.memories
    ), fewer as (
        select array_agg(c.role) as roles, array_agg(c.term) as terms from change c where c.memories < 0
    )
    select s.folded, s.last, s.memories, s.words, f.roles, f.terms
    into v_folded, v_last, v_memories, v_words, v_roles, v_terms
    from (select count(*) as folded, max(g.id) as last, sum(g.memories) as memories, sum(g.words) as words from gone g) as s, fewer f;
    if v_folded = 0 then
        return 0;
    end if;
    -- Never below nothing: what was counted may have been decayed since, or have been there before the statistics.
    insert into mnemo.corpus as c (tenant, collection, memories, words, folded)
    values (p_tenant, p_collection, greatest(v_memories, 0), greatest(v_words, 0), v_last)
    on conflict (tenant, collection) do update
    set memories = greatest(c.memories + v_memories, 0), words = greatest(c.words + v_words, 0), folded = greatest(c.folded, v_last);
    delete from mnemo.term t
    using unnest(v_roles, v_terms) as w (role, term)
    where t.tenant = p_tenant and t.collection = p_collection and t.role = w.role and t.term = w.term and t.memories <= 0;
    perform mnemo.injection_point('terms.folded');
    return v_folded;
end
$$;
