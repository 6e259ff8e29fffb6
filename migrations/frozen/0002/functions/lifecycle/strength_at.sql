-- Strength p_ltp of time p_ltp_at, decayed to p_at: s * exp(-lambda * (t - t0)), lambda = ln 2 / half-life.
-- The epoch is that of the difference: that of a timestamptz is not immutable, and the function would not be inlined.
-- It stops at 64 half-lives, and what is under 1e-12 counts as nothing: Postgres refuses numbers too small for their type.
create or replace function mnemo.strength_at(
    p_ltp double precision, p_ltp_at timestamptz, p_at timestamptz, p_half_life interval
) returns double precision
language sql immutable parallel safe
as $$
    select case when p_ltp < 1e-12 then 0 else
        p_ltp * power(0.5::double precision, least(64,
            greatest(extract(epoch from p_at - p_ltp_at), 0)::double precision
            / extract(epoch from p_half_life)::double precision))
    end
$$;
