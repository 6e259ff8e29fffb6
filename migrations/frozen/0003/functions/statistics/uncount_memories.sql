-- Takes the words of memories that are about to be forgotten or rewritten out of the statistics of their collections.
-- p_into is the table of a bulk load, which holds those of them that the load itself wrote, else mnemo.memory. The caller
-- holds their activity rows locked, so that what is taken out is what was counted.
create or replace function mnemo.uncount_memories(p_ids uuid[], p_into regclass default 'mnemo.memory') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table  regclass;
    v_drafts mnemo.draft[];
begin
    foreach v_table in array case when p_into = 'mnemo.memory'::regclass then array[p_into] else array['mnemo.memory'::regclass, p_into] end loop
        execute format(
            'select array(select row(0, m.content, null, null, null, null, m.occurred_at, m.attributes, null, m.collection, null, null, null, '
                                    'null, null, null, t.terms, t.words)::mnemo.draft '
            'from unnest($1) as w (id) '
            'join %s m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id '
            'join mnemo.collection c on c.name = m.collection and c.encoder = ''composite'' '
            'cross join lateral (select array_agg(k.word) as terms, sum(k.count)::integer as words from mnemo.tokens(m.content) as k) as t)', v_table)
        into v_drafts using p_ids;
        if v_drafts <> '{}' then
            perform mnemo.log_terms(v_drafts, -1);
            perform mnemo.fold_pending(array(select distinct d.collection from unnest(v_drafts) as d));
        end if;
    end loop;
end
$$;
