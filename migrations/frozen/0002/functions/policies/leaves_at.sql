-- When a memory leaves its tier by a rule of mnemo.deadline_rule, if nobody uses it again; null: never.
-- p_used_at: its last access, or its entry into the tier if that was later.
create or replace function mnemo.leaves_at(
    p_rule text, p_threshold double precision, p_idle interval,
    p_ltp double precision, p_ltp_at timestamptz, p_used_at timestamptz, p_half_life interval
) returns timestamptz
language sql stable parallel safe
as $$
    select case p_rule
        when 'ltp' then mnemo.leaves_tier_at(p_ltp, p_ltp_at, p_threshold, p_half_life)
        when 'idle' then p_used_at + p_idle
    end
$$;
