-- What an adaptive policy should do, from the hit rate of the samples since evidence_from, p_hits of p_accesses: the new
-- value (null: none), which way that is, the pace after it, whether the evidence is used up, and why, in words.
-- p_value: the parameter; p_held: memories in hot; p_full: whether that is as many as may be there; p_waits: null, or what
-- the last change still waits for. What was measured before that had its effect, or while hot was filling up, is no evidence.
--
-- Evidence: enough accesses that three standard deviations of the rate are less than the deadband.
-- capacity_rows: value * (target / rate) ^ (learning_rate * pace), at most doubled or halved. The hit rate of a cache that keeps
-- what is used grows with its size ever more slowly, from 0: so by a factor f > 1 the rate grows at most f-fold, by f < 1
-- it falls at most f-fold, and no change carries it past the target, at any learning rate up to 1. Only a full tier can
-- tell: one that is not full would not answer more with more room, and has less room than its capacity says.
-- threshold: value / the same, at most 1.25-fold: a lower threshold keeps more memories hot.
-- pace, halved when the direction turns and regained slowly while it does not, ends any swing that neither foresees.
create or replace function mnemo.decide_adaptive(
    p_adaptive mnemo.adaptive, p_value double precision, p_held bigint, p_hits bigint, p_accesses bigint, p_full boolean, p_waits text,
    out value double precision, out way smallint, out pace double precision, out used boolean, out status text
)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_target double precision := p_adaptive.target;
    v_rate   double precision := p_hits::double precision / nullif(p_accesses, 0);
    -- With two accesses more, one of them a hit: none of few is no proof of never.
    v_likely double precision := (p_hits + 1.0) / (p_accesses + 2);
    v_needed bigint := ceil(9 * v_likely * (1 - v_likely) / power(p_adaptive.deadband, 2));
    v_rows   boolean := p_adaptive.parameter = 'capacity_rows';
    v_factor double precision;
    v_from   double precision := p_value;
begin
    way := p_adaptive.direction;
    pace := p_adaptive.pace;
    used := true;
    if p_waits is not null then
        status := p_waits;
        return;
    elsif p_adaptive.began = 'unsettled' then
        status := 'measures from now on';
        return;
    elsif p_accesses < v_needed then
        used := false;
        status := format('waits for evidence: %s of %s accesses', p_accesses, v_needed);
        return;
    end if;
    status := format('hot hit rate %s, target %s', round(v_rate::numeric, 3), v_target);
    if abs(v_rate - v_target) <= p_adaptive.deadband then
        status := status || ': near enough';
        return;
    elsif v_rows and v_rate < v_target and not p_full then
        status := status || format(', but hot holds %s of %s: more capacity would not help', p_held, p_value);
        return;
    elsif v_rows and v_rate < v_target and p_adaptive.began = 'filling' then
        status := 'measures from now on: hot is full';
        return;
    end if;
    way := case when (v_rate < v_target) = v_rows then 1 else -1 end;
    pace := case when way = - p_adaptive.direction then pace / 2 else least(pace * 1.2, 1) end;
    v_factor := power(v_target / greatest(v_rate, v_target / 100), p_adaptive.learning_rate * pace);
    if v_rows then
        v_from := case when way < 0 then least(p_value, greatest(p_held, 1)) else p_value end;
        value := round(v_from * least(greatest(v_factor, 0.5), 2));
    else
        value := round((v_from / least(greatest(v_factor, 0.8), 1.25))::numeric, 6);
    end if;
    value := least(greatest(value, p_adaptive.lowest), p_adaptive.highest);
    if value = p_value then
        value := null;
        way := p_adaptive.direction;
        pace := p_adaptive.pace;
        status := status || case p_value
            when p_adaptive.highest then format(', but %s is at its highest, %s', p_adaptive.parameter, p_value)
            when p_adaptive.lowest then format(', but %s is at its lowest, %s', p_adaptive.parameter, p_value)
            else ': less than one step away'
        end;
    end if;
end
$$;
