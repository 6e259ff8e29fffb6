-- corpus: what is known of the words of each collection keeps up with its memories: little is pending, about as many
-- memories are counted as there are, archived ones and those forgotten there that no compaction has left out yet too, and where memories have embeddings, most of them do.
create or replace function mnemo.doctor_corpus() returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_pending text;
    v_astray  text;
    v_without text;
begin
    select string_agg(format('collection %s of tenant %s has %s changes pending', p.collection, p.tenant, p.rows), '; ' order by p.tenant, p.collection)
    into v_pending
    from (select l.tenant, l.collection, count(*) as rows from mnemo.term_log l group by l.tenant, l.collection having count(*) > 2000) as p;
    -- Past this size counting takes too long in passing; mnemo.corpus_stats does it.
    if pg_relation_size('mnemo.activity') + coalesce((select sum(pg_relation_size(t.relid)) from pg_partition_tree('mnemo.archived_memory') t
                                                      where t.isleaf), 0) <= 268435456 then
        select string_agg(format('collection %s of tenant %s has %s memories, %s counted', a.collection, a.tenant, a.memories, a.counted), '; '
                          order by a.tenant, a.collection)
        into v_astray
        from (
            select m.tenant, m.collection, m.memories,
                   coalesce((select s.memories from mnemo.corpus s where s.tenant = m.tenant and s.collection = m.collection), 0)
                   + coalesce((select sum(l.memories) from mnemo.term_log l where l.tenant = m.tenant and l.collection = m.collection), 0) as counted
            from (
                select x.tenant, x.collection, count(*) as memories
                from (select a.tenant, a.collection from mnemo.activity a
                      union all select r.tenant, r.collection from mnemo.archived_memory r
                      union all select t.tenant, t.collection from mnemo.tombstone t where t.reason in ('forgotten', 'rewritten')) as x
                group by x.tenant, x.collection
            ) as m
            join mnemo.collection c on c.name = m.collection and c.encoder = 'composite'
        ) as a
        where abs(a.counted - a.memories) > greatest(100, 0.5 * a.memories);
    end if;
    -- The first thousand met tell enough.
    select string_agg(format('%s of %s memories of collection %s looked at have no embedding', s.without, s.looked, c.name), '; ' order by c.name)
           filter (where s.looked >= 20 and s.without > 0.2 * s.looked)
    into v_without
    from mnemo.collection c
    cross join lateral (
        select count(*) as looked, count(*) filter (where m.embedding is null) as without
        from (select x.embedding from mnemo.memory x where x.collection = c.name limit 1000) as m
    ) as s
    where c.encoder = 'composite' and c.keep_embedding and c.dimension is not null;
    return mnemo.verdict('corpus', 'warn', nullif(concat_ws('; ', v_pending, v_astray, v_without), ''),
        format('collections with statistics of words: %s', (select count(*) from mnemo.corpus)),
        'pending: see that the job fold_terms runs; counted wrongly: mnemo.recount_terms(collection) as that tenant; '
        'no embedding: those are found by their words alone, remember them again with one');
end
$$;
