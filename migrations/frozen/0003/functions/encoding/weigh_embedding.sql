-- weigh_embedding(q): the components of an int8 embedding (mnemo.quantise) scaled to the length 1024, in order:
-- sign(q) round(1024 |q| / sqrt(sum q^2)).
create or replace function mnemo.weigh_embedding(p_embedding bytea) returns bigint[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_values integer[] := array(
        select (get_byte(p_embedding, j) + 128) % 256 - 128 from generate_series(0, length(p_embedding) - 1) as j order by j);
    v_norm   bigint;
begin
    select floor(sqrt(sum(q::bigint * q)::float8))::bigint into v_norm from unnest(v_values) as q;
    return array(
        select sign(w.q)::bigint * ((2 * 1024 * abs(w.q) + v_norm) / (2 * v_norm))
        from unnest(v_values) with ordinality as w (q, place)
        order by w.place);
end
$$;
