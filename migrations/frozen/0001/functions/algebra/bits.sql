-- bits(): the number of components of a hypervector, D, fixed at install.
create or replace function mnemo.bits() returns integer
language sql immutable parallel safe
as $$ select {bits} $$;
