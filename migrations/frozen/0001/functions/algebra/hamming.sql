-- hamming(a, b): the number of components that differ, 0 to D. Any equal lengths, so sketches too; MN001 where they
-- differ; null when either is null. In ORDER BY use the operator a <~> b, the form that indexes know.
create or replace function mnemo.hamming(p_a bit, p_b bit) returns integer
language sql immutable parallel safe
as $$
    select case
        when pg_catalog.length(p_a) operator(pg_catalog.=) pg_catalog.length(p_b)
            or mnemo.require_same_length(pg_catalog.length(p_a), pg_catalog.length(p_b))
        then (p_a operator(public.<~>) p_b)::integer
    end
$$;
