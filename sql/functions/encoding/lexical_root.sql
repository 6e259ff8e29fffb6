-- lexical_root(k): random_hypervector('mnemo:lexical:1:' || k) twice in a row (2 D bits), so that a cyclic shift is a
-- substring. Immutable: in a plan with constant k it is computed once a session.
create or replace function mnemo.lexical_root(p_k integer) returns varbit
language sql immutable strict parallel safe
as $$
    select (r.hdv operator(pg_catalog.||) r.hdv)::varbit
    from mnemo.random_hypervector('mnemo:lexical:1:' operator(pg_catalog.||) p_k::text) as r (hdv)
$$;
