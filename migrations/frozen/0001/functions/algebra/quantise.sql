-- quantise(embedding): one int8 a component, round-half-even(127 x / max|x|), as bytes in two's complement.
-- In double precision, the product first: it is exact, so every machine rounds the same quotient.
-- Read component j with ((get_byte(q, j) + 128) % 256) - 128. MN006 where the embedding is empty, all zero, has more
-- than one dimension or more than 132,104 components (beyond it a float32 sum of int8 is not exact), or holds a null,
-- NaN or infinity. Null for null.
create or replace function mnemo.quantise(p_embedding real[]) returns bytea
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bad integer;
    v_largest double precision;
    v_bytes bytea;
begin
    if array_ndims(p_embedding) is distinct from 1 then
        raise exception using errcode = 'MN006',
            message = format('invalid embedding: %s dimensions of array where 1 is expected',
                coalesce(array_ndims(p_embedding), 0));
    end if;
    if cardinality(p_embedding) > 132104 then
        raise exception using errcode = 'MN006',
            message = format('invalid embedding: %s components, at most 132104 are allowed', cardinality(p_embedding));
    end if;
    select min(e.ordinal) filter (where e.x is null or e.x in ('NaN', 'Infinity', '-Infinity')), max(abs(e.x))
    into v_bad, v_largest
    from unnest(p_embedding) with ordinality as e (x, ordinal);
    if v_bad is not null then
        raise exception using errcode = 'MN006',
            message = format('invalid embedding: component %s is %s', v_bad - 1,
                coalesce((p_embedding[array_lower(p_embedding, 1) + v_bad - 1])::text, 'null'));
    end if;
    if v_largest = 0 then
        raise exception using errcode = 'MN006', message = 'invalid embedding: all components are zero';
    end if;
    select string_agg(substring(int2send(round(127.0::double precision * e.x / v_largest)::smallint) from 2),
        ''::bytea order by e.ordinal)
    into v_bytes
    from unnest(p_embedding) with ordinality as e (x, ordinal);
    return v_bytes;
end
$$;
