-- bind(a, b): a XOR b. Commutative, associative, its own inverse; keeps distances: hamming(bind(a, c), bind(b, c))
-- = hamming(a, b). Any equal lengths, so sketches too; MN001 where they differ; null when either is null.
create or replace function mnemo.bind(p_a bit, p_b bit) returns bit
language sql immutable parallel safe
as $$
    select case
        when pg_catalog.length(p_a) operator(pg_catalog.=) pg_catalog.length(p_b)
            or mnemo.require_same_length(pg_catalog.length(p_a), pg_catalog.length(p_b))
        then p_a operator(pg_catalog.#) p_b
    end
$$;
