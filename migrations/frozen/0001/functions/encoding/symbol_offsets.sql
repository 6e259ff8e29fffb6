-- symbol_offsets(symbol): where the four windows of a symbol start, in bits, counted from 1: 8 (h[k] mod D/8) + 1, see
-- encode_lexical(). Four names and no search_path of its own, so that it is inlined.
create or replace function mnemo.symbol_offsets(p_symbol text) returns integer[]
language sql immutable parallel safe
as $$
    select array[
        1
    ]
    from (select pg_catalog.sha256(pg_catalog.convert_to(p_symbol, 'UTF8'))) as d (digest)
$$;
