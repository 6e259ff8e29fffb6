-- Brings memories back from the archive into the open segment of a tier, from what was read of them into
-- pg_temp.mnemo_fetched (mnemo.open_fetched), and returns their ids. What was forgotten, rewritten, restored or moved to
-- another segment since it was read is left out. Attributes are those of now, all else is as it was archived; its words
-- stayed counted, and so did what it takes of a quota. reason: restored, or accesses. data_corrupted for rows that are not what was archived.
-- Invariant kept: the memory, its activity row and the tombstone in place of its archived row are one transaction; its key
-- names it throughout. Locks: the table, the quota, keys, archived memories.
create or replace function mnemo.restore_memories(tier text default 'warm', reason text default 'restored') returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_tenant  text := current_setting('mnemo.tenant', true);
    v_segment integer;
    v_group   record;
    v_ids     uuid[];
    v_back    mnemo.archived_memory[];
    v_there   bigint;
    v_done    uuid[] := '{}';
begin
    perform mnemo.require_staging('mnemo_fetched');
    perform mnemo.lock_for_writing();
    v_segment := mnemo.segment_of_tier(tier);
    for v_group in
        select a.tenant, array_agg(a.id order by a.bucket, a.id) as ids
        from pg_temp.mnemo_fetched f
        join mnemo.archived_memory a on a.bucket = mnemo.bucket_of(f.id) and a.id = f.id
        group by a.tenant
        order by a.tenant
    loop
        perform set_config('mnemo.tenant', v_group.tenant, true);
        perform mnemo.lock_quota();
        perform mnemo.lock_memories(v_group.ids);
        perform from mnemo.archived_memory a where a.id = any (v_group.ids) order by a.bucket, a.id for update of a;
        -- Looked at again, now that nobody can take them elsewhere.
        select coalesce(array_agg(a.id order by a.bucket, a.id), '{}'), array_agg(a order by a.bucket, a.id) into v_ids, v_back
        from pg_temp.mnemo_fetched f
        join mnemo.archive r on r.attempt = f.attempt
        join mnemo.archived_memory a on a.segment = r.segment and a.bucket = mnemo.bucket_of(f.id) and a.id = f.id
        where a.row_number = f.row_number and a.tenant = v_group.tenant;
        continue when v_ids = '{}';
        perform mnemo.check_fetched(v_back);
        perform mnemo.injection_point('restore.checked');
        perform mnemo.size_fetched(v_back);
        v_back := mnemo.bury(v_ids, 'restored');
        insert into mnemo.memory (occurred_at, created_at, segment, bucket, id, tenant, collection, context, session, key, content,
                                  attributes, embedding, encoded, hdv)
        select a.occurred_at, a.created_at, v_segment, a.bucket, a.id, a.tenant, a.collection, a.context, a.session, a.key, f.content,
               a.attributes, f.embedding, f.encoded, f.hdv::bit({bits})
        from unnest(v_back) as a
        join mnemo.archive r on r.segment = a.segment
        join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = a.row_number;
        get diagnostics v_there = row_count;
        if v_there <> cardinality(v_ids) then
            raise exception 'of % memories to restore % were written', cardinality(v_ids), v_there
                using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo.doctor(deep => true) tells more.';
        end if;
        perform mnemo.readmit(v_back, v_segment, reason);
        v_done := v_done || v_ids;
    end loop;
    perform set_config('mnemo.tenant', coalesce(v_tenant, ''), true);
    return v_done;
end
$$;
