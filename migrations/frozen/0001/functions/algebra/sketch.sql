-- sketch(a): the first S components, as bit(S). Inlines to the expression that the sketch indexes are built on, so
-- "order by mnemo.sketch(hdv) <~> mnemo.sketch(query)" uses them. MN001 when a is not D bits; null for null.
create or replace function mnemo.sketch(p_a bit) returns bit
language sql immutable parallel safe
as $$ select substring(p_a from 1 for {sketch_bits})::bit({sketch_bits}) $$;
