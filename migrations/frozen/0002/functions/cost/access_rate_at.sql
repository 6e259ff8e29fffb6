-- Accesses an hour to expect, from the accesses of a stay in a tier: (n + 1) / (hours + 1), the mean of a Poisson rate
-- whose prior is one access in one hour. So a memory just written or moved is neither hot nor forgotten, and many
-- accesses in its first minute are not taken for a habit. Once unused for longer than a day, which spares what is used
-- by day only, it counts at most one access for the hours since.
create or replace function mnemo.access_rate_at(
    p_accesses bigint, p_entered_at timestamptz, p_last_access timestamptz, p_at timestamptz
) returns double precision
language sql immutable parallel safe
as $$
    select least((p_accesses + 1) / (greatest(date_part('epoch', p_at - p_entered_at), 0) / 3600 + 1),
                 1 / nullif(greatest(date_part('epoch', p_at - greatest(p_last_access, p_entered_at)) / 3600 - 24, 0), 0))
$$;
