-- The words of a collection that most of this tenant's memories hold, with how many do, and how many memories there are: what a
-- client weighs the words of a private memory by, of which the server must not learn one. At most `count`, up to 10,000.
-- For mnemo_app.
create or replace function mnemo.frequent_terms(collection text, count integer, out memories bigint, out terms text[], out counts bigint[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant  text := mnemo.tenant();
    v_pending boolean;
begin
    if frequent_terms.count is null or frequent_terms.count not between 1 and 10000 then
        raise exception 'count must be between 1 and 10000, not %', coalesce(frequent_terms.count::text, 'null') using errcode = 'MN002';
    end if;
    memories := (select t.memories from mnemo.term_counts(frequent_terms.collection, '{}') as t);
    -- As mnemo.term_counts does: what is not added up yet counts while the collection is young.
    v_pending := coalesce((select c.memories from mnemo.corpus c where c.tenant = v_tenant and c.collection = frequent_terms.collection), 0) < 2000;
    select array_agg(f.term order by f.memories desc, f.term), array_agg(f.memories order by f.memories desc, f.term) into terms, counts
    from (
        select n.term, sum(n.memories)::bigint as memories
        from (
            select t.term, t.memories
            from mnemo.term t
            where t.tenant = v_tenant and t.collection = frequent_terms.collection and t.role = ''
            union all
            select u.term, u.count
            from mnemo.term_log l, unnest(l.roles, l.terms, l.counts) as u (role, term, count)
            where l.tenant = v_tenant and l.collection = frequent_terms.collection and u.role = '' and v_pending
        ) as n
        group by n.term
        having sum(n.memories) > 0
        order by sum(n.memories) desc, n.term
        limit frequent_terms.count
    ) as f;
    terms := coalesce(terms, '{}');
    counts := coalesce(counts, '{}');
end
$$;
