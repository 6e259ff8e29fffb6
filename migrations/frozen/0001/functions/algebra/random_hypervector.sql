-- random_hypervector(seed): D components drawn from the seed alone, the same on every machine:
-- sha256(utf8(seed) || uint32_be(i)) for i = 0, 1, ..., concatenated and cut to D bits. Null for null.
create or replace function mnemo.random_hypervector(seed text) returns bit
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_seed bytea := convert_to(seed, 'UTF8');
    v_hex text := 'x';
begin
    for v_block in 0 .. ({bits} - 1) / 256 loop
        v_hex := v_hex || encode(sha256(v_seed || int4send(v_block)), 'hex');
    end loop;
    return v_hex::varbit::bit({bits});
end
$$;
