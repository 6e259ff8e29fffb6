-- sketch(a): the first S components, as bit(S). Inlines to the expression that the sketch indexes are built on, so
-- "order by mnemo.sketch(hdv) <~> mnemo.sketch(query)" uses them. For that it
-- checks no length: what is shorter than S is filled up with zeros. Null for null.
create or replace function mnemo.sketch(p_a bit) returns bit
language sql immutable parallel safe
as $$ select substring(p_a from 1 for {sketch_bits})::bit({sketch_bits}) $$;
