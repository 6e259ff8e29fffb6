-- Takes the words of memories that are about to be forgotten or rewritten out of the statistics of their collections.
create or replace function mnemo.uncount_memories(p_ids uuid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_drafts mnemo.draft[] := array(
        select row(0, m.content, null, null, null, null, m.occurred_at, m.attributes, null, m.collection, null, null, null, null, null, null,
                   t.terms, t.words)::mnemo.draft
        from unnest(p_ids) as w (id)
        join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id
        join mnemo.collection c on c.name = m.collection and c.encoder = 'composite'
        cross join lateral (
            select array_agg(k.word) as terms, sum(k.count)::integer as words from mnemo.tokens(m.content) as k
        ) as t);
begin
    if v_drafts <> '{}' then
        perform mnemo.log_terms(v_drafts, -1);
        perform mnemo.fold_pending(array(select distinct d.collection from unnest(v_drafts) as d));
    end if;
end
$$;
