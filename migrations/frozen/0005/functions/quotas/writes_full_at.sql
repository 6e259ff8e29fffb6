-- When the bucket of writes of a quota is full again once p_writes more were taken from it; MN016 where it does not hold as
-- many. It holds writes_per_minute and fills evenly, in a minute: the same as a count of tokens, in one column.
-- Rounded down to microseconds, so that a minute always has room for all of them.
create or replace function mnemo.writes_full_at(p_quota mnemo.quota, p_writes bigint) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit constant integer := (p_quota).writes_per_minute;
    v_now   constant timestamptz := mnemo.now();
    v_full  timestamptz := greatest((p_quota).writes_full_at, v_now);
    v_used  bigint;
begin
    if v_limit is null or coalesce(p_writes, 0) <= 0 then
        return (p_quota).writes_full_at;
    end if;
    -- Taken in an hour that the clock of a test, or of another server, has gone back from: no more than all can be missing.
    v_full := least(v_full, v_now + interval '1 minute');
    v_used := ceil(extract(epoch from v_full - v_now) * v_limit / 60 - 0.001);
    if p_writes > v_limit then
        perform mnemo.refuse_quota((p_quota).tenant, 'writes_per_minute', v_limit, v_used, p_writes,
                                   format('So many at once never fit: write at most %s at a time.', v_limit));
    end if;
    v_full := v_full + floor(60e6::numeric * p_writes / v_limit)::double precision * interval '1 microsecond';
    if v_full > v_now + interval '1 minute' then
        perform mnemo.refuse_quota((p_quota).tenant, 'writes_per_minute', v_limit, v_used, p_writes,
                                   format('There is room for them in %s s.', round(extract(epoch from v_full - v_now) - 60, 1)));
    end if;
    return v_full;
end
$$;
