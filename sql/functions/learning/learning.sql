-- Whether mnemo.recall ranks by what it has learned: the setting mnemo.learning, on unless set to off.
create or replace function mnemo.learning() returns boolean
language sql stable parallel safe
as $$
    select coalesce(nullif(current_setting('mnemo.learning', true), '')::boolean, true)
$$;
