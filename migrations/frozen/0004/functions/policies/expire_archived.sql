-- Gives the next archived memories the expires_at that the ttl policies of now say; returns how many had another. A ttl of
-- tier archive counts from the archiving of a segment.
create or replace function mnemo.expire_archived() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Each is a new entry in every index of its partition.
    c_rows constant integer := 1000;
    v_done bigint;
begin
    with rule as materialized (
        select c.name, r.* from mnemo.collection c cross join lateral mnemo.deadline_rule('archive', c.name) as r
    ), wrong as materialized (
        select a.segment, a.bucket, a.id, case when r.age_of_stay then s.archived_at else a.created_at end + r.age as expires_at
        from mnemo.archived_memory a
        join mnemo.archive s on s.segment = a.segment
        join rule r on r.name = a.collection
        where a.expires_at is distinct from case when r.age_of_stay then s.archived_at else a.created_at end + r.age
        limit c_rows
    )
    update mnemo.archived_memory a set expires_at = w.expires_at
    from wrong w
    where a.segment = w.segment and a.bucket = w.bucket and a.id = w.id;
    get diagnostics v_done = row_count;
    return v_done;
end
$$;
