-- What is known of the words of each collection. It counts terms and looks at what is pending.
create or replace view mnemo.corpus_stats as
select s.tenant, s.collection, coalesce(c.memories, 0) + coalesce(p.memories, 0) as memories,
       coalesce(c.words, 0) + coalesce(p.words, 0) as words,
       (coalesce(c.words, 0) + coalesce(p.words, 0))::double precision / nullif(coalesce(c.memories, 0) + coalesce(p.memories, 0), 0) as mean_words,
       t.different_words, t.role_values, coalesce(p.changes, 0) as pending, t.commonest
from (select tenant, collection from mnemo.corpus union select tenant, collection from mnemo.term_log) as s
left join mnemo.corpus c using (tenant, collection)
left join (
    select tenant, collection, count(*) as changes, sum(memories)::bigint as memories, sum(words)::bigint as words
    from mnemo.term_log group by tenant, collection
) as p using (tenant, collection)
cross join lateral (
    select count(*) filter (where w.role = '') as different_words, count(*) filter (where w.role <> '') as role_values,
           (array_agg(w.term order by w.memories desc, w.term) filter (where w.role = '' and w.place <= 10)) as commonest
    from (select x.role, x.term, x.memories, row_number() over (partition by x.role = '' order by x.memories desc, x.term) as place
          from mnemo.term x where x.tenant = s.tenant and x.collection = s.collection) as w
) as t;

comment on view mnemo.corpus_stats is 'What is known of the words of each collection, by tenant; mnemo.recount_terms and mnemo.decay_terms change it.';
comment on column mnemo.corpus_stats.tenant is 'Whose memories.';
comment on column mnemo.corpus_stats.collection is 'Of which collection; those of words alone (encoder lexical) have no statistics.';
comment on column mnemo.corpus_stats.memories is 'Memories counted, pending ones too; decayed with the rest.';
comment on column mnemo.corpus_stats.words is 'Words they hold, each as often as it comes.';
comment on column mnemo.corpus_stats.mean_words is 'Words a memory.';
comment on column mnemo.corpus_stats.different_words is 'Different words added up so far.';
comment on column mnemo.corpus_stats.role_values is 'Different values of roles added up so far.';
comment on column mnemo.corpus_stats.pending is 'Changes (batches of writes) not added up yet; the job fold_terms does that.';
comment on column mnemo.corpus_stats.commonest is 'The ten words that most memories hold.';
