-- How many sketch candidates a search re-ranks in each tier: the setting mnemo.ef_search, else 100.
-- MN002 unless it is a whole number from 1 to 1000, which is what the index takes. One expression, so that it is inlined.
create or replace function mnemo.ef_search() returns integer
language sql stable parallel safe
as $$
    select case
        when coalesce(current_setting('mnemo.ef_search', true), '') = '' then 100
        when current_setting('mnemo.ef_search') ~ '^(1000|[1-9][0-9]?[0-9]?)$' then current_setting('mnemo.ef_search')::integer
        else mnemo.raise_ef_search(current_setting('mnemo.ef_search'))
    end
$$;
