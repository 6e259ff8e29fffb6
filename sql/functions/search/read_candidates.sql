-- The memories that a search found, in no order; of archived ones what is in the database, and the rest of p_fetched; those of a tier that cannot be read are left out with a warning.
create or replace function mnemo.read_candidates(p_found mnemo.candidate[], p_fetched mnemo.memory[] default null) returns setof mnemo.memory
language plpgsql stable
rows 50
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    -- Another statement for them: it opens every partition of theirs.
    if exists (select from unnest(p_found) as n where n.segment > 1000000) then
        return query
        select a.occurred_at, a.created_at, a.segment, a.bucket, a.id, a.tenant, a.collection, f.hdv, a.context, a.session, a.key,
               f.content, a.attributes, f.embedding, f.encoded
        from unnest(p_found) as n
        join mnemo.archived_memory a on a.segment = n.segment and a.bucket = n.bucket and a.id = n.id
        left join unnest(p_fetched) as f on f.id = n.id
        where n.segment > 1000000;
    end if;
    begin
        -- Materialized, so that either all rows are returned or none.
        return query
        with hit as materialized (
            select m.*
            from unnest(p_found) as n
            join mnemo.memory m on m.segment = n.segment and m.bucket = n.bucket and m.id = n.id
        )
        select h.* from hit h;
        return;
    exception when system_error or data_corrupted or index_corrupted or insufficient_privilege then
        -- That statement opens every partition, also those that no hit is in.
        null;
    end;
    return query
    select m.*
    from mnemo.read_memories(array(select n.id from unnest(p_found) as n),
                             array(select mnemo.tier_of_segment(n.segment) from unnest(p_found) as n)) as m;
end
$$;
