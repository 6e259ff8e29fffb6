-- The one clock of the engine. Tests set mnemo.clock; otherwise it is the transaction's time.
create or replace function mnemo.now() returns timestamptz
language sql stable parallel safe
as $$
    select coalesce(nullif(current_setting('mnemo.clock', true), '')::timestamptz, pg_catalog.now())
$$;
