-- Called by writers after mnemo.log_terms: folds a collection of this tenant once much is pending there, so that the
-- statistics keep up where no worker runs. Not under repeatable read, where a fold since the snapshot would be an error.
create or replace function mnemo.fold_pending(p_collections text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_most constant integer := 5000;
    v_collection text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        return;
    end if;
    foreach v_collection in array p_collections loop
        -- Counted up to the limit only: behind a long load there may be much.
        if (select sum(p.terms) from (
                select cardinality(l.terms) + 1 as terms from mnemo.term_log l
                where l.tenant = mnemo.tenant() and l.collection = v_collection
                limit 200) as p) > c_most
           or (select count(*) from (
                select from mnemo.term_log l where l.tenant = mnemo.tenant() and l.collection = v_collection limit 200) as p) = 200
        then
            perform mnemo.fold_terms(mnemo.tenant(), v_collection);
        end if;
    end loop;
end
$$;
