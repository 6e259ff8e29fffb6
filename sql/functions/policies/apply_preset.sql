-- Sets capacity, pace and retention to one of three presets: the bytes of the hot tier, how often consolidation runs, and
-- how long derived data (move log, associations, telemetry) is kept; never whether a memory is kept.
-- conservative: 500 MB, 10 min, 90 days; moderate: 200 MB, 5 min, 30 days; aggressive: 100 MB, 1 min, 7 days.
create or replace function mnemo.apply_preset(name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_preset record;
begin
    select * into v_preset
    from (values ('conservative', 500, interval '10 minutes', 90), ('moderate', 200, interval '5 minutes', 30),
                 ('aggressive', 100, interval '1 minute', 7)) as p (name, megabytes, pace, days)
    where p.name = apply_preset.name;
    if not found then
        raise exception 'unknown preset %', coalesce(quote_literal(apply_preset.name), 'null')
            using errcode = 'MN010', hint = 'Presets are conservative, moderate and aggressive.';
    end if;
    if not exists (select from mnemo.policy p where p.name = 'hot-capacity') then
        perform mnemo.add_eviction_policy('hot-capacity', 'hot', 'warm', capacity_bytes => 1, reason => format('preset %s', v_preset.name));
    end if;
    perform mnemo.alter_eviction_policy('hot-capacity', jsonb_build_object('capacity_bytes', v_preset.megabytes * 1048576::bigint, 'capacity_rows', null),
                                        format('preset %s', v_preset.name));
    perform mnemo.alter_job('consolidate', jsonb_build_object('every', v_preset.pace));
    perform mnemo.configure(jsonb_build_object('prune_after_days', v_preset.days));
end
$$;
