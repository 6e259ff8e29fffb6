-- What the first entry of a chain links to.
create or replace function mnemo.audit_root() returns bytea
language sql immutable parallel safe
as $$
    select '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea
$$;
