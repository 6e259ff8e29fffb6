-- Changes numbers of mnemo.setting, and the thresholds hot_threshold and warm_threshold of mnemo.tier, all or none.
-- MN002 for an unknown name, for bits and sketch_bits, which are fixed at install, for what is no number or out of the
-- bounds below, within which no strength and no time overflows, and for thresholds out of order.
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
begin
    if jsonb_typeof(configure.settings) <> 'object' then
        raise exception 'settings must be a JSON object, not %', jsonb_typeof(configure.settings) using errcode = 'MN002';
    end if;
    for v_name, v_given in select s.key, s.value from jsonb_each_text(configure.settings) as s loop
        if v_name in ('bits', 'sketch_bits') then
            raise exception 'setting % is fixed at install', quote_literal(v_name) using errcode = 'MN002';
        end if;
        v_value := case when pg_input_is_valid(v_given, 'double precision') then v_given::double precision end;
        select b.lowest, b.highest into v_lowest, v_highest
        from (values ('content_max_bytes', 1, 8000000), ('half_life_days', 1e-5, 36500), ('potentiation', 1e-6, 1),
                     ('hot_threshold', 1e-6, 1), ('warm_threshold', 1e-6, 1), ('move_batch_rows', 1, 100000),
                     ('bulk_move_rows', 1, 1e9), ('bulk_move_most', 1, 1e7), ('sealed_segments_most', 1, 100), ('segment_rows', 1, 1e9),
                     ('rebuild_patience_seconds', 0, 3600),
                     ('prune_after_days', 1, 36500), ('event_keep_count', 1, 1e9), ('event_keep_hours', 0.01, 8760),
                     ('event_backlog_most', 1, 1e9), ('association_gain', 1e-6, 1), ('association_half_life_days', 1e-5, 36500),
                     ('association_partners', 1, 1000), ('association_hits', 1, 20), ('focus_memories', 1, 100),
                     ('prediction_window_seconds', 1, 1e7), ('prediction_weight', 0, 1), ('strength_weight', 0, 1)) as b (name, lowest, highest)
        where b.name = v_name;
        if not found then
            raise exception 'there is no setting %', quote_literal(v_name) using errcode = 'MN002';
        elsif (v_value between v_lowest and v_highest) is not true then
            raise exception 'setting % must be a number from % to %, not %', quote_literal(v_name), v_lowest, v_highest, coalesce(v_given, 'null')
                using errcode = 'MN002';
        end if;
        if v_name in ('hot_threshold', 'warm_threshold') then
            update mnemo.tier t set leaves_below = v_value where t.tier || '_threshold' = v_name;
        else
            update mnemo.setting s set value = v_value where s.name = v_name;
        end if;
    end loop;
    perform mnemo.check_thresholds();
    if configure.settings ?| array['half_life_days', 'hot_threshold', 'warm_threshold'] then
        perform mnemo.recompute_deadlines();
    end if;
end
$$;
