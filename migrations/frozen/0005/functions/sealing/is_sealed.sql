-- Whether a content came sealed by its client: what it says is not known here. Its words are in no statistics, it stands beside
-- nothing in its session, and no second stage reads it.
create or replace function mnemo.is_sealed(p_content text) returns boolean
language sql immutable parallel safe
as $$
    select pg_catalog.starts_with(p_content, 'mnemo-sealed:')
$$;
