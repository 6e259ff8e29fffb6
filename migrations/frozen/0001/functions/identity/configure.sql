-- Changes numbers of mnemo.setting, and the thresholds hot_threshold and warm_threshold of mnemo.tier, all or none.
-- MN002 for an unknown name, for bits and sketch_bits, which are fixed at install, and for thresholds out of order.
create or replace function mnemo.configure(settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name  text;
    v_value double precision;
begin
    for v_name, v_value in select s.key, s.value::double precision from jsonb_each_text(configure.settings) as s loop
        if v_name in ('bits', 'sketch_bits') then
            raise exception 'setting % is fixed at install', quote_literal(v_name) using errcode = 'MN002';
        elsif v_value is null or v_value <= 0 or v_value = 'infinity' then
            raise exception 'setting % must be a positive number, not %', quote_literal(v_name), coalesce(v_value::text, 'null') using errcode = 'MN002';
        elsif v_name in ('hot_threshold', 'warm_threshold') then
            update mnemo.tier t set leaves_below = v_value where t.tier || '_threshold' = v_name and v_value <= 1;
        else
            update mnemo.setting s set value = v_value where s.name = v_name;
        end if;
        if not found then
            raise exception 'no setting % can take %', quote_literal(v_name), v_value using errcode = 'MN002';
        end if;
    end loop;
    if exists (select from mnemo.tier fast join mnemo.tier slow on slow.place > fast.place and slow.leaves_below >= fast.leaves_below) then
        raise exception 'thresholds must fall from tier to tier: hot_threshold above warm_threshold' using errcode = 'MN002';
    end if;
end
$$;
