-- Takes what is archived in segments out of the database, once it is elsewhere: their archived rows, tombstones and what is
-- known of their objects, which are needed no more. Returns how many archived memories there were. Part of the transaction
-- that put them elsewhere, which holds mnemo.archived_memory.
create or replace function mnemo.empty_segments(p_segments integer[]) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempts uuid[];
    v_rows     bigint;
begin
    delete from mnemo.archived_memory a where a.segment = any (p_segments);
    get diagnostics v_rows = row_count;
    delete from mnemo.tombstone t where t.segment = any (p_segments);
    with gone as (
        delete from mnemo.archive r where r.segment = any (p_segments) returning r.attempt
    )
    select array_agg(g.attempt) into v_attempts from gone g;
    perform mnemo.drop_objects(a.attempt) from unnest(v_attempts) as a (attempt);
    return v_rows;
end
$$;
