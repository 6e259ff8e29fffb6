-- Looks for the traps of this field before they hurt: one row a check, its status ok, warn or fail, what was found,
-- and what to do where it is not ok. Reads one snapshot and writes nothing. deep also compares every memory with its
-- activity row and its key, which reads all of them.
create or replace function mnemo.doctor(deep boolean default false) returns setof mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select f.*
    from unnest(array[
        mnemo.doctor_server(),
        mnemo.doctor_extensions(),
        mnemo.doctor_widths(),
        mnemo.doctor_vector_storage(),
        mnemo.doctor_toast_target(),
        mnemo.doctor_sketch_index(),
        mnemo.doctor_sketch_memory(),
        mnemo.doctor_index_build(),
        mnemo.doctor_iterative_scan(),
        mnemo.doctor_search_settings(),
        mnemo.doctor_fsync(),
        mnemo.doctor_full_page_writes(),
        mnemo.doctor_synchronous_commit(),
        mnemo.doctor_checksums(),
        mnemo.doctor_statement_log(),
        mnemo.doctor_heat_index(),
        mnemo.doctor_activity_updates(),
        mnemo.doctor_memory_updates(),
        mnemo.doctor_autovacuum(),
        mnemo.doctor_dead_rows(),
        mnemo.doctor_statistics(),
        mnemo.doctor_corpus(),
        mnemo.doctor_partitions(),
        mnemo.doctor_capacity(),
        mnemo.doctor_jobs(),
        mnemo.doctor_access_log(),
        mnemo.doctor_events(),
        mnemo.doctor_copies(),
        mnemo.doctor_tablespaces(),
        mnemo.doctor_archive(),
        mnemo.doctor_residency(),
        mnemo.doctor_quotas(deep),
        mnemo.doctor_conservation(deep),
        mnemo.doctor_audit(deep),
        mnemo.doctor_isolation(),
        mnemo.doctor_vault()
    ]) as f
$$;
