-- MN002 unless this is a way to tune a policy: bounds in order and possible, target, rate and deadband in their ranges,
-- and no other one at work.
create or replace function mnemo.check_adaptive(p_adaptive mnemo.adaptive) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong record;
    v_other text;
begin
    select * into v_wrong
    from (values ('target', p_adaptive.target, 0.01, 0.99), ('learning_rate', p_adaptive.learning_rate, 0.001, 1),
                 ('deadband', p_adaptive.deadband, 0.001, 0.5),
                 ('lowest', p_adaptive.lowest, case p_adaptive.parameter when 'threshold' then 1e-6 else 1 end,
                  case p_adaptive.parameter when 'threshold' then 1 else 1e15 end),
                 ('highest', p_adaptive.highest, p_adaptive.lowest,
                  case p_adaptive.parameter when 'threshold' then 1 else 1e15 end)) as g (name, value, lowest, highest)
    where (g.value between g.lowest and g.highest) is not true
    limit 1;
    if found then
        raise exception '% of the adaptive policy % must be a number from % to %, not %', v_wrong.name, quote_literal(p_adaptive.policy),
            v_wrong.lowest, v_wrong.highest, coalesce(v_wrong.value::text, 'null') using errcode = 'MN002';
    elsif p_adaptive.lowest = p_adaptive.highest then
        raise exception 'lowest and highest of the adaptive policy % are both %: nothing is left to tune', quote_literal(p_adaptive.policy),
            p_adaptive.lowest using errcode = 'MN002';
    elsif p_adaptive.enabled is null then
        raise exception 'enabled of the adaptive policy % must be true or false, not null', quote_literal(p_adaptive.policy) using errcode = 'MN002';
    end if;
    select a.policy into v_other from mnemo.adaptive a where a.enabled and a.policy <> p_adaptive.policy;
    if found and p_adaptive.enabled then
        raise exception 'policy % tunes itself already, by the same hit rate: disable that first', quote_literal(v_other) using errcode = 'MN002';
    end if;
end
$$;
