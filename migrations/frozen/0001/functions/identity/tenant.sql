-- The tenant of this session: the setting mnemo.tenant, else 'default'.
create or replace function mnemo.tenant() returns text
language sql stable parallel safe
as $$
    -- After a SET LOCAL ends, the setting is '' and not null.
    select coalesce(nullif(current_setting('mnemo.tenant', true), ''), 'default')
$$;
