-- What is known of some words in a collection of this tenant: how many memories have been counted, how many words they
-- hold, and how many of them hold each of p_terms (0 for one never met), in the order given. While the collection is
-- young, what is pending is added; later it could change little.
create or replace function mnemo.term_counts(p_collection text, p_terms text[], out memories bigint, out words bigint, out counts bigint[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    c_young  constant bigint := 2000;
    v_tenant text := mnemo.tenant();
begin
    select c.memories, c.words into memories, words from mnemo.corpus c where c.tenant = v_tenant and c.collection = p_collection;
    memories := coalesce(memories, 0);
    words := coalesce(words, 0);
    counts := array(
        select coalesce(t.memories, 0)
        from unnest(p_terms) with ordinality as w (term, place)
        left join mnemo.term t on t.tenant = v_tenant and t.collection = p_collection and t.role = '' and t.term = w.term
        order by w.place);
    if memories >= c_young then
        return;
    end if;
    select term_counts.memories + coalesce(sum(l.memories), 0), term_counts.words + coalesce(sum(l.words), 0) into memories, words
    from mnemo.term_log l
    where l.tenant = v_tenant and l.collection = p_collection;
    counts := array(
        select greatest(w.count + coalesce(p.count, 0), 0)
        from unnest(p_terms, term_counts.counts) with ordinality as w (term, count, place)
        left join (select u.term, sum(u.count)::bigint as count
                   from mnemo.term_log l, unnest(l.roles, l.terms, l.counts) as u (role, term, count)
                   where l.tenant = v_tenant and l.collection = p_collection and u.role = '' and u.term = any (p_terms)
                   group by u.term) as p on p.term = w.term
        order by w.place);
end
$$;
