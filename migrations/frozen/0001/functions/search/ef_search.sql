-- How many sketch candidates a search re-ranks in each tier: the setting mnemo.ef_search, else 100.
create or replace function mnemo.ef_search() returns integer
language sql stable parallel safe
as $$
    select coalesce(nullif(current_setting('mnemo.ef_search', true), '')::integer, 100)
$$;
