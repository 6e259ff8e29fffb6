-- The cosine of an int8 embedding, as mnemo.quantise makes it, and a query's; null where one has no length or they differ
-- in dimension.
create or replace function mnemo.embedding_cosine(p_embedding bytea, p_query real[]) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select sum(e.value * e.component) / nullif(sqrt(sum(e.value * e.value)) * sqrt(sum(e.component * e.component)), 0)
    from (
        select ((get_byte(p_embedding, q.place::integer - 1) # 128) - 128)::double precision as value, q.component::double precision as component
        from unnest(p_query) with ordinality as q (component, place)
        where length(p_embedding) = cardinality(p_query)
    ) as e
$$;
