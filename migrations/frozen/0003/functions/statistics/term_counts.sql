-- What is known of some words in a collection of this tenant: how many memories have been counted, how many words they
-- hold, and how many of them hold each of p_terms (0 for one never met), in the order given. While the collection is
-- young, what is pending is added, the oldest 1,000 rows of it; later it could change little.
create or replace function mnemo.term_counts(p_collection text, p_terms text[], out memories bigint, out words bigint, out counts bigint[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    c_young  constant bigint := 2000;
    v_tenant text := mnemo.tenant();
    v_more   bigint;
    v_longer bigint;
    v_logged bigint[];
begin
    select c.memories, c.words into memories, words from mnemo.corpus c where c.tenant = v_tenant and c.collection = p_collection;
    memories := coalesce(memories, 0);
    words := coalesce(words, 0);
    counts := array(
        -- One look into the index for each word, whatever the planner thinks of their number.
        select coalesce((select t.memories from mnemo.term t
                         where t.tenant = v_tenant and t.collection = p_collection and t.role = '' and t.term = w.term), 0)
        from unnest(p_terms) with ordinality as w (term, place)
        order by w.place);
    if memories >= c_young then
        return;
    end if;
    select array_agg(p.id), sum(p.memories), sum(p.words) into v_logged, v_more, v_longer
    from (select l.id, l.memories, l.words
          from mnemo.term_log l where l.tenant = v_tenant and l.collection = p_collection order by l.id limit 1000) as p;
    if v_logged is null then
        return;
    end if;
    memories := greatest(memories + v_more, 0);
    words := greatest(words + v_longer, 0);
    counts := array(
        -- Sorted and added up in one pass: joined, a long text and a long log would be compared word by word.
        select greatest(s.count + s.pending, 0)
        from (
            select x.place, x.count, coalesce(sum(x.count) filter (where x.place is null) over (partition by x.term), 0)::bigint as pending
            from (
                select w.term collate "C" as term, w.count, w.place
                from unnest(p_terms, term_counts.counts) with ordinality as w (term, count, place)
                union all
                select u.term collate "C", u.count, null
                from mnemo.term_log l, unnest(l.roles, l.terms, l.counts) as u (role, term, count)
                where l.id = any (v_logged) and u.role = '' and (cardinality(p_terms) > 100 or u.term = any (p_terms))
            ) as x
        ) as s
        where s.place is not null
        order by s.place);
end
$$;
