-- Called by writers after mnemo.log_terms: folds those collections of this tenant where much is pending, so that the
-- statistics keep up where no worker runs. Not under repeatable read, where a fold since the snapshot would be an error.
create or replace function mnemo.fold_pending(p_collections text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    c_rows       constant bigint := 200;
    v_collection text;
    v_most       bigint;
    v_folded     bigint;
    v_pending    record;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        return;
    end if;
    foreach v_collection in array p_collections loop
        -- While a collection is young, readers add up what is pending (mnemo.term_counts): less is left for them.
        select case when c.memories < 2000 then 5000 else 50000 end, c.folded into v_most, v_folded
        from mnemo.corpus c
        where c.tenant = (select mnemo.tenant()) and c.collection = v_collection;
        -- From the last fold on, and up to the limit: what was folded lies before that, dead until vacuum comes by.
        select count(*) as rows, sum(p.terms) as terms into v_pending
        from (select cardinality(l.terms) as terms
              from mnemo.term_log l
              where l.tenant = (select mnemo.tenant()) and l.collection = v_collection and l.id > coalesce(v_folded, 0)
              order by l.id
              limit c_rows) as p;
        if v_pending.rows = c_rows or v_pending.terms > coalesce(v_most, 5000) then
            perform mnemo.fold_terms(mnemo.tenant(), v_collection);
        end if;
    end loop;
end
$$;
