-- Gives the cold tier a new open segment, and seals the one that there was; returns the sealed one, null when that is
-- empty, or while somebody else rebuilds a partition.
-- A writer that had looked for the open segment before may still put a memory into the sealed one; it is exported with the
-- others, or stays for a later merge.
create or replace function mnemo.seal_segment() returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sealed   integer := mnemo.segment_of_tier('cold');
    v_segment  integer;
    v_relation text;
    v_used     boolean;
begin
    lock table only mnemo.memory in share update exclusive mode nowait;
    execute format('select exists (select from mnemo.%I)', (select s.relation from mnemo.segment s where s.segment = v_sealed)) into v_used;
    if not v_used or v_sealed <> mnemo.segment_of_tier('cold') then
        return null;
    end if;
    v_segment := mnemo.next_segment('cold');
    v_relation := 'memory_cold_' || v_segment;
    perform mnemo.create_partition(v_relation, 'cold');
    perform mnemo.index_partition(v_relation, 'cold');
    perform mnemo.attach_partition(v_relation, v_segment, 'cold');
    update mnemo.segment s set state = 'sealed', sealed_at = mnemo.now() where s.segment = v_sealed;
    perform mnemo.injection_point('archive.sealed');
    return v_sealed;
exception
    when lock_not_available then
        return null;
end
$$;
