-- Changes numbers of mnemo.setting, and the thresholds hot_threshold and warm_threshold of mnemo.tier, all or none.
-- MN002 for an unknown name, for bits and sketch_bits, which are fixed at install, for what is no number or out of the
-- bounds below, within which no strength and no time overflows, for a fraction of what is counted, and for thresholds
-- out of order.
create or replace function mnemo.configure(settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name  text;
    v_given text;
    v_value double precision;
    v_lowest numeric;
    v_highest numeric;
    v_counted boolean;
    v_changed jsonb := '{}';
begin
    if jsonb_typeof(configure.settings) <> 'object' then
        raise exception 'settings must be a JSON object, not %', jsonb_typeof(configure.settings) using errcode = 'MN002';
    end if;
    for v_name, v_given in select s.key, s.value from jsonb_each_text(configure.settings) as s loop
        if v_name in ('bits', 'sketch_bits') then
            raise exception 'setting % is fixed at install', quote_literal(v_name) using errcode = 'MN002';
        end if;
        v_value := case when pg_input_is_valid(v_given, 'double precision') then v_given::double precision end;
        select b.lowest, b.highest, b.counted into v_lowest, v_highest, v_counted
        from (values ('content_max_bytes', 1, 8000000, true), ('half_life_days', 1e-5, 36500, false), ('potentiation', 1e-6, 1, false),
                     ('hot_threshold', 1e-6, 1, false), ('warm_threshold', 1e-6, 1, false), ('move_batch_rows', 1, 100000, true),
                     ('bulk_move_rows', 1, 1e9, true), ('bulk_move_most', 1, 1e7, true), ('sealed_segments_most', 1, 100, true),
                     ('segment_rows', 1, 1e9, true), ('rebuild_patience_seconds', 0, 3600, false), ('prune_after_days', 1, 36500, false),
                     ('event_keep_count', 1, 1e9, true), ('event_keep_hours', 0.01, 8760, false), ('event_backlog_most', 1, 1e9, true),
                     ('association_gain', 1e-6, 1, false), ('association_half_life_days', 1e-5, 36500, false),
                     ('association_partners', 1, 1000, true), ('association_hits', 1, 20, true), ('focus_memories', 1, 100, true),
                     ('prediction_window_seconds', 1, 1e7, false), ('prediction_weight', 0, 1, false), ('strength_weight', 0, 1, false),
                     ('archive_segment_rows', 1, 1e7, true), ('archive_seal_days', 0.001, 36500, false),
                     ('archive_restore_accesses', 1, 1e9, true), ('archive_compact_share', 0.001, 1, false),
                     ('archive_compact_days', 0, 36500, false), ('archive_grace_days', 0, 36500, false), ('archive_lease_seconds', 1, 86400, false),
                     ('copy_batch_rows', 1, 100000, true), ('copy_sets_most', 2, 10000, true), ('audit_keep_days', 0, 36500, false)
             ) as b (name, lowest, highest, counted)
        where b.name = v_name;
        if not found then
            raise exception 'there is no setting %', quote_literal(v_name) using errcode = 'MN002';
        elsif (v_value between v_lowest and v_highest) is not true then
            raise exception 'setting % must be a number from % to %, not %', quote_literal(v_name), v_lowest, v_highest, coalesce(v_given, 'null')
                using errcode = 'MN002';
        elsif v_counted and v_value <> floor(v_value) then
            raise exception 'setting % must be a whole number, not %', quote_literal(v_name), v_given using errcode = 'MN002';
        end if;
        if v_name in ('hot_threshold', 'warm_threshold') then
            update mnemo.tier t set leaves_below = v_value where t.tier || '_threshold' = v_name and t.leaves_below <> v_value;
        else
            update mnemo.setting s set value = v_value where s.name = v_name and s.value <> v_value;
        end if;
        if found then
            v_changed := v_changed || jsonb_build_object(v_name, v_value);
        end if;
    end loop;
    perform mnemo.check_thresholds();
    if configure.settings ?| array['half_life_days', 'hot_threshold', 'warm_threshold'] then
        perform mnemo.recompute_deadlines();
    end if;
    if v_changed <> '{}' then
        perform mnemo.record_audit('setting.change', null, v_changed, '');
    end if;
end
$$;
