-- Multiplies what has been counted in a collection of this tenant by a factor between 0 and 1, rounding down, and returns
-- how many words and values are left: what comes from now on counts for more, and what was rare and old is dropped. Ratios
-- stay, so that what is common stays common. Memories that are forgotten later are taken out whole; no count falls below 0.
-- mnemo.recount_terms undoes it. Waits for a session that folds the same collection, to its end; writers wait for nothing.
create or replace function mnemo.decay_terms(collection text default 'memories', factor double precision default 0.5) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_collection mnemo.collection := mnemo.collection(decay_terms.collection);
    v_tenant     text := mnemo.tenant();
    v_left       bigint;
begin
    if (decay_terms.factor between 0 and 1) is not true then
        raise exception 'factor must be between 0 and 1, not %', coalesce(decay_terms.factor::text, 'null') using errcode = 'MN002';
    end if;
    perform pg_advisory_xact_lock(hashtextextended(format('mnemo.term:%s:%s', v_tenant, v_collection.name), 0));
    -- What is pending is as old as the rest.
    while mnemo.fold_terms(v_tenant, v_collection.name) > 0 loop
    end loop;
    delete from mnemo.term t
    where t.tenant = v_tenant and t.collection = v_collection.name and floor(t.memories * decay_terms.factor) < 1;
    update mnemo.term t set memories = floor(t.memories * decay_terms.factor)
    where t.tenant = v_tenant and t.collection = v_collection.name;
    get diagnostics v_left = row_count;
    update mnemo.corpus c set memories = floor(c.memories * decay_terms.factor), words = floor(c.words * decay_terms.factor)
    where c.tenant = v_tenant and c.collection = v_collection.name;
    return v_left;
end
$$;
