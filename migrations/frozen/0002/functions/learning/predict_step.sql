-- One batch of inference.predict events of the subscription mnemo.prefetch: for each, mnemo.prefetch in its context and
-- tenant. Its payload may hold {"window": seconds, "k": 10, "hdv": "x0f..."}; k is at most 100. Returns how many events
-- it took, 0 when there are none. An event that fails is tried again, and in the end a dead letter, as the subscription says.
create or replace function mnemo.predict_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name   constant text := 'mnemo.prefetch';
    v_caller text := coalesce(current_setting('mnemo.tenant', true), '');
    v_events record;
    v_lane   integer;
    v_lease  bigint;
    v_count  bigint := 0;
    v_done   bigint[] := '{}';
    v_failed bigint[] := '{}';
    v_errors text[] := '{}';
    v_broken text[] := '{}';
    v_whose  text;
begin
    for v_events in
        select e.* from mnemo.claim_events(c_name, coalesce((arguments ->> 'events')::integer, 20)) as e
    loop
        if v_lane is distinct from v_events.lane then
            if v_lane is not null then
                perform mnemo.complete_events(c_name, v_lane, v_lease, v_done, v_failed, v_errors);
            end if;
            v_lane := v_events.lane;
            v_lease := v_events.lease;
            v_done := '{}';
            v_failed := '{}';
            v_errors := '{}';
        end if;
        -- Those behind a failed one of their context are parked with it.
        v_whose := v_events.tenant || E'\n' || coalesce(v_events.context, '');
        continue when v_whose = any (v_broken);
        begin
            perform set_config('mnemo.tenant', v_events.tenant, true);
            perform mnemo.prefetch(
                coalesce(v_events.context, v_events.payload ->> 'context'),
                least(coalesce((v_events.payload ->> 'k')::integer, 10), 100),
                make_interval(secs => (v_events.payload ->> 'window')::double precision),
                (v_events.payload ->> 'hdv')::bit varying);
            v_done := v_done || v_events.seq;
            v_count := v_count + 1;
        exception when others then
            v_failed := v_failed || v_events.seq;
            v_errors := v_errors || sqlerrm;
            v_count := v_count + 1;
            v_broken := v_broken || v_whose;
        end;
    end loop;
    perform set_config('mnemo.tenant', v_caller, true);
    if v_lane is null then
        return 0;
    end if;
    perform mnemo.injection_point('predict.prefetched');
    perform mnemo.complete_events(c_name, v_lane, v_lease, v_done, v_failed, v_errors);
    return v_count;
end
$$;
