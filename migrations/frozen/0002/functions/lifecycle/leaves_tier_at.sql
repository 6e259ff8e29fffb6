-- When strength p_ltp of time p_ltp_at falls below p_threshold: t0 + ln(s0 / threshold) / lambda, not before t0.
-- Null where the threshold is null: nothing leaves the cold tier by decay.
-- Stable, as adding an interval to a timestamptz is: declared immutable, it would not be inlined.
create or replace function mnemo.leaves_tier_at(
    p_ltp double precision, p_ltp_at timestamptz, p_threshold double precision, p_half_life interval
) returns timestamptz
language sql stable parallel safe
as $$
    select case when p_threshold is not null then
        p_ltp_at + p_half_life * (ln(greatest(p_ltp / p_threshold, 1)) / ln(2.0::double precision))
    end
$$;
