-- The time in which an unused memory loses half its strength.
create or replace function mnemo.half_life() returns interval
language sql stable
as $$
    select make_interval(secs => mnemo.setting('half_life_days') * 86400)
$$;
