-- Changes numbers of mnemo.setting, and the thresholds hot_threshold and warm_threshold of mnemo.tier, all or none.
-- MN002 for an unknown name, for bits and sketch_bits, which are fixed at install, for what is no positive number,
-- for a share (potentiation, thresholds) above 1, and for thresholds out of order.
create or replace function mnemo.configure(settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name  text;
    v_given text;
    v_value double precision;
begin
    for v_name, v_given in select s.key, s.value from jsonb_each_text(configure.settings) as s loop
        if v_name in ('bits', 'sketch_bits') then
            raise exception 'setting % is fixed at install', quote_literal(v_name) using errcode = 'MN002';
        end if;
        v_value := case when pg_input_is_valid(v_given, 'double precision') then v_given::double precision end;
        -- NaN counts as greater than infinity.
        if (v_value > 0 and v_value < 'infinity') is not true then
            raise exception 'setting % must be a positive number, not %', quote_literal(v_name), coalesce(v_given, 'null') using errcode = 'MN002';
        elsif v_value > 1 and v_name in ('potentiation', 'hot_threshold', 'warm_threshold') then
            raise exception 'setting % must be at most 1, not %', quote_literal(v_name), v_value using errcode = 'MN002';
        end if;
        if v_name in ('hot_threshold', 'warm_threshold') then
            update mnemo.tier t set leaves_below = v_value where t.tier || '_threshold' = v_name;
        else
            update mnemo.setting s set value = v_value where s.name = v_name;
        end if;
        if not found then
            raise exception 'there is no setting %', quote_literal(v_name) using errcode = 'MN002';
        end if;
    end loop;
    if exists (select from mnemo.tier fast join mnemo.tier slow on slow.place > fast.place and slow.leaves_below >= fast.leaves_below) then
        raise exception 'thresholds must fall from tier to tier: hot_threshold above warm_threshold' using errcode = 'MN002';
    end if;
end
$$;
