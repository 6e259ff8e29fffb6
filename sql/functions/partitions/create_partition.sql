-- A table shaped like a partition of mnemo.memory, or for tier archive of mnemo.archived_memory, in the tablespace of its tier, without indexes and not
-- yet attached, secured like its parent. Load it, then call mnemo.index_partition and mnemo.attach_partition.
create or replace function mnemo.create_partition(p_relation text, p_tier text) returns regclass
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
begin
    if p_tier = 'archive' then
        execute format(
            'create table mnemo.%I (like mnemo.archived_memory including defaults including constraints including storage '
            'including comments) tablespace %I', p_relation, mnemo.tier_tablespace(p_tier));
        execute format('alter table mnemo.%I alter column sketch set statistics 0', p_relation);
        perform mnemo.secure_partition(format('mnemo.%I', p_relation)::regclass, 'mnemo.archived_memory');
        return format('mnemo.%I', p_relation)::regclass;
    end if;
    execute format(
        'create table mnemo.%I (like mnemo.memory including defaults including constraints including storage '
        'including comments) with (toast_tuple_target = {toast_tuple_target}) tablespace %I',
        p_relation, mnemo.tier_tablespace(p_tier));
    -- Nothing is planned by the values of hypervectors, and sampling them is most of an ANALYZE.
    execute format('alter table mnemo.%I alter column hdv set statistics 0', p_relation);
    perform mnemo.secure_partition(format('mnemo.%I', p_relation)::regclass, 'mnemo.memory');
    return format('mnemo.%I', p_relation)::regclass;
end
$$;
