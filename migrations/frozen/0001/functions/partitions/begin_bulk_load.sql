-- Starts loading an empty tier: rows first, indexes after. Returns the table for mnemo.remember_staged(into);
-- mnemo.finish_bulk_load ends it, in the same transaction. Until that commits, recall answers from the tier as it
-- was, and other writers wait, whatever their tier. MN002 when the tier holds memories already.
-- A transaction that has read memories and then writes meanwhile cannot wait and fails; see mnemo.lock_for_writing.
create or replace function mnemo.begin_bulk_load(tier text) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_segment  integer := mnemo.segment_of_tier(tier);
    v_relation text;
    v_used     boolean;
begin
    select s.relation into v_relation from mnemo.segment s where s.segment = v_segment;
    -- Readers go on; a writer that committed before this lock is seen by the check below. The parent is what writers
    -- lock first: were it the partition, they would wait holding what mnemo.finish_bulk_load must have.
    lock table only mnemo.memory in share row exclusive mode;
    execute format('select exists (select from mnemo.%I)', v_relation) into v_used;
    if v_used then
        raise exception 'tier % is not empty; a bulk load needs an empty one', quote_literal(tier)
            using errcode = 'MN002', hint = 'Write with mnemo.remember_staged() instead.';
    end if;
    return mnemo.create_partition(v_relation || '_load', tier);
end
$$;
