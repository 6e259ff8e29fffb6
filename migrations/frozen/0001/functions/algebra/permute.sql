-- permute(a, n): component i moves to (i + n) mod length, a cyclic shift to the right; n may be negative.
-- permute(permute(a, m), n) = permute(a, m + n). Null when either is null.
create or replace function mnemo.permute(p_a bit, p_n integer) returns bit
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_length integer := length(p_a);
    v_cut integer;
begin
    if v_length = 0 then
        return p_a;
    end if;
    -- % keeps the sign of its left side; the second % brings the shift into 0 .. length - 1.
    v_cut := v_length - ((p_n % v_length) + v_length) % v_length;
    return substring(p_a from v_cut + 1) || substring(p_a from 1 for v_cut);
end
$$;
