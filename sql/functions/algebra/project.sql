-- project(embedding, seed): the signed random projection of an embedding. With q = quantise(embedding) and
-- r[j] = random_hypervector(seed || ':' || j), j from 0, read as +1 and -1, component = 1 where sum q[j] r[j] > 0,
-- the tie component where it is 0. As q[j] r[j] = |q[j]| (sign r[j]), that sum is a bundle with weights |q[j]|.
-- Draws one random hypervector a component: for many embeddings project in the client. MN006 as quantise.
create or replace function mnemo.project(embedding real[], seed text) returns bit
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.bundle(
        case when w.weight > 0 then r.hdv else ~ r.hdv end,
        abs(w.weight)::bigint)
    from (select mnemo.quantise(project.embedding) as bytes) as q
    cross join lateral generate_series(0, length(q.bytes) - 1) as j
    cross join lateral (select (get_byte(q.bytes, j) + 128) % 256 - 128 as weight) as w
    cross join lateral (select mnemo.random_hypervector(project.seed || ':' || j) as hdv) as r
    where w.weight <> 0
$$;
