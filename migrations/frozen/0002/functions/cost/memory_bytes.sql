-- The bytes that one memory takes in its tier, row and indexes: what capacities and prices count with.
-- Row: its share of a page whose rows hold the hypervector and 600 bytes beside it, as toast_tuple_target is made for.
-- Indexes: the sketch, 312 bytes of its graph, 57 of B-trees, 43 of attributes. Rows of mnemo.activity, some 240 bytes
-- that stay where they are when a memory moves, are not in it.
-- Against loads of 6,000 memories with 250 bytes of text: 3,335 here, 3,336 to 3,341 measured at 16,384 bits; at 32,768
-- 0.4 % less than measured, at 1,024 20 % more. Text of 2,000 bytes leaves its row: 46 % less than measured.
create or replace function mnemo.memory_bytes() returns bigint
language sql immutable parallel safe
as $$
    select ceil(8192.0 / greatest(floor(8168.0 / ({bits} / 8 + 8 + 600 + 4)), 1))::bigint + {sketch_bits} / 8 + 312 + 57 + 43
$$;
