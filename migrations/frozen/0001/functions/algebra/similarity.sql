-- similarity(a, b): 1 - hamming(a, b) / length, from 0 (complement) over 0.5 (unrelated) to 1 (equal).
-- MN001 where lengths differ; null when either is null or the length is 0.
create or replace function mnemo.similarity(p_a bit, p_b bit) returns double precision
language sql immutable parallel safe
as $$
    -- operator() has one precedence for all, hence the parentheses.
    select 1::double precision operator(pg_catalog.-) (
        mnemo.hamming(p_a, p_b)::double precision
        operator(pg_catalog./) nullif(pg_catalog.length(p_a), 0)::double precision)
$$;
