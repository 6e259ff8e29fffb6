-- sketch_bits(): the number of components of a sketch, S, fixed at install.
create or replace function mnemo.sketch_bits() returns integer
language sql immutable parallel safe
as $$ select {sketch_bits} $$;
