-- Takes the words of forgotten and rewritten memories out of the statistics of their collections, once their rows are about
-- to leave the objects: their texts are in pg_temp.mnemo_fetched, those of p_segments that are not are left alone. The caller
-- deletes the tombstones in the same transaction, so that none is taken out twice.
create or replace function mnemo.uncount_tombstones(p_segments integer[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := current_setting('mnemo.tenant', true);
    v_group  record;
begin
    perform mnemo.require_staging('mnemo_fetched');
    for v_group in
        select t.tenant, array_agg(distinct t.collection) as collections,
               array_agg(row(0, f.content, null, null, null, null, f.occurred_at, coalesce(t.attributes, '{}'), null, t.collection,
                             null, null, null, null, null, null, w.terms, w.words)::mnemo.draft) as drafts
        from mnemo.tombstone t
        join mnemo.archive r on r.segment = t.segment
        join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = t.row_number
        join mnemo.collection c on c.name = t.collection and c.encoder = 'composite'
        cross join lateral (select array_agg(k.word) as terms, sum(k.count)::integer as words from mnemo.tokens(f.content) as k) as w
        where t.segment = any (p_segments) and t.reason in ('forgotten', 'rewritten')
        group by t.tenant
        order by t.tenant
    loop
        perform set_config('mnemo.tenant', v_group.tenant, true);
        perform mnemo.log_terms(v_group.drafts, -1);
        perform mnemo.fold_pending(v_group.collections);
    end loop;
    perform set_config('mnemo.tenant', coalesce(v_tenant, ''), true);
end
$$;
