-- Changes how a policy tunes itself: any of target, lowest, highest, learning_rate, deadband and enabled, as in
-- '{"target": 0.8}'. It starts again from the evidence to come. MN010 for a policy that is not adaptive, MN002 for an
-- unknown setting and for what mnemo.add_adaptive_policy refuses.
create or replace function mnemo.alter_adaptive_policy(policy text, settings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_adaptive mnemo.adaptive;
    v_name     text;
begin
    lock table mnemo.adaptive in share row exclusive mode;
    select * into v_adaptive from mnemo.adaptive a where a.policy = alter_adaptive_policy.policy;
    if not found then
        raise exception 'policy % is not adaptive', coalesce(quote_literal(policy), 'null') using errcode = 'MN010';
    elsif jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'settings of the adaptive policy % must be a JSON object, not %', quote_literal(policy), coalesce(jsonb_typeof(settings), 'SQL null')
            using errcode = 'MN002';
    end if;
    select k into v_name from jsonb_object_keys(settings) as k
    where k not in ('target', 'lowest', 'highest', 'learning_rate', 'deadband', 'enabled') limit 1;
    if found then
        raise exception 'an adaptive policy has no setting %', quote_literal(v_name) using errcode = 'MN002';
    end if;
    begin
        v_adaptive := jsonb_populate_record(v_adaptive, settings);
    exception when data_exception then
        raise exception 'adaptive policy %: %', quote_literal(policy), sqlerrm using errcode = 'MN002';
    end;
    perform mnemo.check_adaptive(v_adaptive);
    update mnemo.adaptive a
    set (target, lowest, highest, learning_rate, deadband, enabled, pace, direction, evidence_from, began, status)
      = (v_adaptive.target, v_adaptive.lowest, v_adaptive.highest, v_adaptive.learning_rate, v_adaptive.deadband, v_adaptive.enabled,
         1, 0, mnemo.now(), 'unsettled', case when v_adaptive.enabled then 'not looked at yet' else 'disabled by hand' end)
    where a.policy = v_adaptive.policy;
end
$$;
