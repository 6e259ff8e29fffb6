-- require_bits(a): true when a has D components, else MN001 naming both lengths. Null for null.
create or replace function mnemo.require_bits(p_a bit) returns boolean
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if length(p_a) <> {bits} then
        raise exception using errcode = 'MN001',
            message = format('invalid hypervector: %s bits where {bits} are expected', length(p_a));
    end if;
    return true;
end
$$;
