-- Dollars a month for so many memories of so many bytes each, at a price per TB (1,024 GB) and month.
create or replace function mnemo.dollars(p_memories numeric, p_bytes double precision, p_price_per_tb_month numeric) returns double precision
language sql immutable parallel safe
as $$
    select p_memories::double precision * p_bytes * p_price_per_tb_month::double precision / 1099511627776
$$;
