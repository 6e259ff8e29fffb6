-- Who may do what. It is run again at the end of every revision, and says everything: nothing is granted elsewhere, except
-- on partitions, which mnemo.secure_partition makes like their parent.
--
-- A tenant never touches a table: it calls functions, which run as mnemo_api, whom row-level security confines to the rows of
-- mnemo.tenant(). What needs an index that row-level security hides runs as mnemo_engine, and names the tenant itself.
-- What jobs and workers call runs as mnemo_owner, for all tenants.
grant usage on schema mnemo to mnemo_owner, mnemo_api, mnemo_engine, mnemo_app, mnemo_worker, mnemo_reader, mnemo_vault;
-- To own a function a role must be able to create one; mnemo_owner goes on making partitions.
grant create on schema mnemo to mnemo_owner, mnemo_api, mnemo_engine;

do $$
declare
    -- Called by tenants, run as mnemo_api.
    c_tenant constant text[] := array[
        'remember', 'open_staging', 'remember_staged', 'forget', 'forget_many', 'set_attributes', 'fix_dimension',
        'advance_ingest', 'ingest_position', 'batch_counts', 'context_counts', 'session_tails', 'term_counts', 'frequent_terms',
        'search', 'search_text', 'recall', 'recall_text', 'get_memories', 'read_candidates', 'fetched_rows',
        'archive_candidates', 'archived_places', 'archived_rows',
        'encode_text', 'encode_query', 'query_roles', 'explain', 'probe', 'importance', 'item', 'cleanup',
        'pin', 'reinforce', 'strength', 'access_rate', 'promote', 'demote', 'predict', 'prefetch', 'publish'];
    -- The trigger of a view. Nobody may execute it: on a table of one's own, one's own casts would run as mnemo_api.
    c_trigger constant text[] := array['write_through'];
    -- Called by who keeps a vault, run as mnemo_api.
    c_vault constant text[] := array[
        'vault_begin', 'vault_put_chunk', 'vault_finish', 'vault_open', 'vault_chunks', 'vault_list', 'vault_drop', 'vault_put', 'vault_get',
        'vault_keys', 'vault_shreddings', 'active_epoch', 'require_vault_home', 'start_epoch', 'due_data_keys', 'rewrap_data_keys',
        'begin_shred', 'begin_shred_tenant', 'begin_destroy', 'finish_destroy', 'require_unlogged', 'report_audit',
        'register_seals', 'open_seals', 'index_key', 'register_index_key'];
    -- Run as mnemo_engine: each compares the tenant itself. The first two are called by tenants.
    c_engine constant text[] := array[
        'count_memories', 'scroll', 'tenant', 'event_backlog', 'vault_candidates', 'is_focused', 'log_access',
        'nearest_by_sketch', 'nearest_by_scan', 'nearest_by_full_scan', 'nearest_archived_by_scan', 'nearest_archived_by_sketch'];
    -- Called by workers, run as mnemo_owner.
    c_worker constant text[] := array[
        'run_job_step', 'run_job_now', 'consolidate_step', 'fold_accesses', 'fold_step', 'fold_terms_step', 'telemetry_step', 'prune_step',
        'expire_step', 'archive_step', 'predict_step', 'drop_emptied', 'due_for_encoding', 'encodable', 'surroundings', 'neighbours',
        'stage_hypervectors', 'begin_bulk_load', 'finish_bulk_load', 'recount_terms', 'decay_terms',
        'abandon_export', 'abandon_objects', 'abandon_restores', 'accept_token', 'attach_store', 'begin_compaction', 'begin_export',
        'begin_restore', 'check_fetched', 'claim_garbage', 'claim_restores', 'drop_objects', 'empty_segments', 'end_attempt', 'export_rows',
        'export_sketches', 'fail_attempt', 'fail_restores', 'fingerprint', 'finish_compaction', 'finish_export', 'finish_restore',
        'forget_objects', 'fork_identity', 'garbage', 'note_objects', 'note_stored', 'open_exported', 'open_fetched', 'open_kept', 'release_attempt',
        'release_garbage', 'renew_attempt', 'require_attempt', 'restart_attempt', 'restore_memories', 'seal_segment', 'uncount_tombstones',
        'begin_copy', 'begin_merge', 'copy_rows', 'finish_copy', 'kept_forgotten', 'lost_copies', 'open_copy_staging', 'queue_backlog',
        'redo_copies', 'restore_copies', 'correct_size', 'give_up_segment', 'wrong_rows',
        'claim_events', 'complete_events', 'complete_lanes', 'create_topic', 'discard_dead_letters', 'publish_for', 'replay_dead_letters',
        'subscribe', 'unsubscribe', 'subscription_named', 'tail_events', 'tick_events', 'trim_events', 'create_partition',
        'index_partition', 'attach_partition', 'rename_partition', 'monthly_cost', 'best_distribution', 'doctor'];
    -- Of nobody's data: called by anyone, with the caller's rights.
    c_anyone constant text[] := array[
        'bits', 'sketch_bits', 'bind', 'unbind', 'bundle', 'bundle_add', 'bundle_combine', 'bundle_result', 'hamming', 'similarity', 'permute', 'project',
        'quantise', 'random_hypervector', 'sketch', 'tie_hypervector', 'require_bits', 'require_same_length', 'encode_value',
        'encoding', 'ranking', 'tokens', 'fold', 'character_class', 'spaced_text', 'collection', 'setting', 'now', 'caller', 'half_life', 'strength_at', 'tier_of_segment',
        'bucket_of', 'content_hash', 'dollars', 'memory_bytes', 'mean_memory_bytes', 'access_rate_at', 'filter_jsonpath', 'is_sealed', 'injection_point', 'undelivered_events',
        'verify_audit', 'audit_problems', 'audit_hash', 'audit_root', 'check_audit_tenant'];
    v_name  text;
    v_proc  regprocedure;
    v_table record;
begin
    for v_table in
        select c.oid::regclass as name, c.relkind,
               exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped)
               or c.relname in ('accessed', 'pending_hypervector', 'archived_access', 'restore_request') as of_tenants
        from pg_class c
        where c.relnamespace = 'mnemo'::regnamespace and c.relkind in ('r', 'p', 'v', 'S') and c.relname <> 'alembic_version'
          -- The sequence of an identity column goes with its table.
          and (c.relkind <> 'S' or not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i'))
    loop
        if v_table.relkind = 'v' then
            execute format('alter view %s owner to mnemo_owner', v_table.name);
            -- Its reader's rights and policies count, not its owner's.
            execute format('alter view %s set (security_invoker = true)', v_table.name);
        elsif v_table.relkind = 'S' then
            execute format('alter sequence %s owner to mnemo_owner', v_table.name);
        elsif v_table.of_tenants then
            perform mnemo.secure_table(v_table.name);
        else
            execute format('alter table %s owner to mnemo_owner', v_table.name);
        end if;
        execute format('revoke all on %s from public, mnemo_api, mnemo_engine, mnemo_app, mnemo_worker, mnemo_reader, mnemo_vault', v_table.name);
    end loop;
    for v_proc in select p.oid from pg_proc p where p.pronamespace = 'mnemo'::regnamespace loop
        execute format('revoke all on routine %s from public, mnemo_api, mnemo_engine, mnemo_app, mnemo_worker, mnemo_reader, mnemo_vault', v_proc);
        execute format('alter routine %s owner to mnemo_owner', v_proc);
    end loop;
    foreach v_name in array c_tenant || c_trigger || c_vault || c_engine || c_worker || c_anyone loop
        if to_regproc('mnemo.' || v_name) is null and not exists (
            select from pg_proc p where p.pronamespace = 'mnemo'::regnamespace and p.proname = v_name) then
            raise exception 'grants.sql names function %, which is not there', v_name;
        end if;
        for v_proc in select p.oid from pg_proc p where p.pronamespace = 'mnemo'::regnamespace and p.proname = v_name loop
            if v_name <> all (c_anyone) then
                execute format('alter routine %s security definer', v_proc);
                execute format('alter routine %s owner to %I', v_proc,
                               case when v_name = any (c_engine) then 'mnemo_engine' when v_name = any (c_tenant || c_trigger || c_vault) then 'mnemo_api' else 'mnemo_owner' end);
            end if;
            execute format('grant execute on routine %s to %s', v_proc, case
                when v_name = any (c_tenant || array['count_memories', 'scroll']) then 'mnemo_app, mnemo_worker'
                when v_name = 'report_audit' then 'mnemo_app, mnemo_worker, mnemo_vault'
                when v_name = any (c_vault) then 'mnemo_vault'
                when v_name = any (c_worker) then 'mnemo_worker'
                when v_name = any (c_anyone || array['tenant']) then 'mnemo_app, mnemo_worker, mnemo_reader, mnemo_vault'
                else 'mnemo_api' end);
        end loop;
    end loop;
end
$$;

-- What they call in turn.
grant execute on all routines in schema mnemo to mnemo_api, mnemo_engine, mnemo_owner;
grant execute on procedure mnemo.consolidate(), mnemo.run_due_jobs(double precision) to mnemo_worker;

-- The rows of tenants, under row-level security.
grant select, insert, update, delete on
    mnemo.memory, mnemo.memory_key, mnemo.activity, mnemo.corpus, mnemo.term, mnemo.term_log, mnemo.item, mnemo.ingest,
    mnemo.accessed, mnemo.pending_hypervector, mnemo.archived_memory, mnemo.archived_access, mnemo.restore_request
    to mnemo_api;
grant select, insert on mnemo.access_log, mnemo.event, mnemo.move_log, mnemo.tombstone, mnemo.uncopied to mnemo_api;
grant select, update on mnemo.quota, mnemo.quota_change to mnemo_api;
grant select on mnemo.residency to mnemo_api;
grant select, insert, update, delete on mnemo.vault_key, mnemo.data_key, mnemo.vault_item, mnemo.vault_chunk, mnemo.shredding to mnemo_api;
grant select, insert on mnemo.vault_home to mnemo_api;
-- Nobody changes what the audit holds.
grant select, insert on mnemo.audit to mnemo_api;
grant select, insert, update on mnemo.audit_head to mnemo_api;
grant select on mnemo.audit_action, mnemo.audit_checkpoint to mnemo_api;
grant select on mnemo.association, mnemo.focus, mnemo.access_daily to mnemo_api;
grant usage, select, update on sequence
    mnemo.event_seq, mnemo.event_lease, mnemo.event_room, mnemo.event_full, mnemo.event_asleep to mnemo_api;
-- What is nobody's: names, numbers and places that a search or a write goes by.
grant select on
    mnemo.setting, mnemo.tier, mnemo.collection, mnemo.ranged_attribute, mnemo.policy, mnemo.segment, mnemo.open_segment, mnemo.memories, mnemo.topic,
    mnemo.subscription, mnemo.event_log, mnemo.event_cursor, mnemo.copy_backlog, mnemo.archive, mnemo.object, mnemo.tier_price
    to mnemo_api, mnemo_engine;
grant update (dimension) on mnemo.collection to mnemo_api;
grant select on mnemo.memory, mnemo.activity, mnemo.archived_memory, mnemo.tenant_role, mnemo.event, mnemo.event_retry, mnemo.vault_item, mnemo.focus to mnemo_engine;
grant insert on mnemo.access_log to mnemo_engine;

-- Views have the rights of their readers, who therefore see these tables, as far as row-level security lets them.
grant select on mnemo.memory, mnemo.activity, mnemo.collection, mnemo.setting, mnemo.tier, mnemo.ranged_attribute, mnemo.memories to mnemo_app, mnemo_reader;
-- Whoever opens a database reads its widths.
grant select on mnemo.setting to mnemo_vault;
grant insert, update, delete on mnemo.memories to mnemo_app;
grant select on mnemo.corpus, mnemo.term, mnemo.term_log, mnemo.corpus_stats, mnemo.archive to mnemo_app;
grant select on
    mnemo.archived_memory, mnemo.access_daily, mnemo.move_log, mnemo.tier_price, mnemo.policy,
    mnemo.bi_accesses_daily, mnemo.bi_days, mnemo.bi_memories, mnemo.bi_moves_daily, mnemo.bi_tiers
    to mnemo_reader;
grant select on mnemo.quota, mnemo.residency, mnemo.tenant_usage to mnemo_app, mnemo_reader, mnemo_vault;
grant select on mnemo.vault_item, mnemo.vault_items to mnemo_vault;
grant select on mnemo.audit, mnemo.audit_head, mnemo.audit_checkpoint, mnemo.audit_trail to mnemo_app, mnemo_reader, mnemo_vault;
-- Workers and operators read everything of all tenants, and change it by functions alone.
grant select on all tables in schema mnemo to mnemo_worker;
grant select on all tables in schema mnemo to mnemo_owner;
grant maintain on mnemo.memory, mnemo.activity, mnemo.memory_key to mnemo_worker;

-- Every client looks whether the database is of its version.
grant select on mnemo.alembic_version to mnemo_app, mnemo_reader, mnemo_vault;

select mnemo.secure_partition(i.inhrelid, i.inhparent)
from pg_inherits i
join pg_class c on c.oid = i.inhparent and c.relnamespace = 'mnemo'::regnamespace and c.relkind = 'p'
order by i.inhrelid::regclass::text;

-- Where the operator made tablespaces for the tiers, partitions are made there.
do $$
declare
    v_space name;
begin
    for v_space in
        select t.spcname from pg_tablespace t
        where t.spcname like 'mnemo\_%' and not has_tablespace_privilege('mnemo_owner', t.oid, 'create')
    loop
        execute format('grant create on tablespace %I to mnemo_owner', v_space);
    end loop;
end
$$;
-- What keeps parameters, and with them keys, out of the server log may be set by whoever sends some.
do $$
begin
    grant set on parameter log_parameter_max_length, log_parameter_max_length_on_error to mnemo_api, mnemo_vault;
exception when insufficient_privilege then
    raise notice 'role % may not grant the setting of log_parameter_max_length: where the server logs parameters, the vault refuses to send keys',
        current_user;
end
$$;
revoke create on schema mnemo from mnemo_api, mnemo_engine;
