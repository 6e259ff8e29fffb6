-- unbind(a, b): the vector that bound with b gives a. XOR is its own inverse, so this is bind; the name tells intent.
create or replace function mnemo.unbind(p_a bit, p_b bit) returns bit
language sql immutable parallel safe
as $$ select mnemo.bind(p_a, p_b) $$;
