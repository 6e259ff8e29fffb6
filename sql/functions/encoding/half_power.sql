-- half_power(idf, halves): idf to the power halves / 2, where idf and the result are in 1/256: 1 is the root, 4 the square.
create or replace function mnemo.half_power(p_idf integer, p_halves integer) returns bigint
language sql immutable strict parallel safe
as $$
    select case p_halves
        when 0 then 256
        when 2 then p_idf
        when 4 then p_idf::bigint * p_idf >> 8
        when 6 then p_idf::bigint * p_idf * p_idf >> 16
        when 1 then floor(sqrt((p_idf::bigint << 8)::float8))::bigint
        when 3 then floor(sqrt((p_idf::bigint * p_idf * p_idf >> 8)::float8))::bigint
        when 5 then floor(sqrt((p_idf::bigint * p_idf * p_idf >> 8)::float8))::bigint * p_idf >> 8
    end
$$;
