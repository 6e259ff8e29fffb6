-- require_same_length(a, b): true when two lengths are equal, else MN001 naming both. Null when either is null.
-- A helper of the functions that planners inline, where no statement could raise.
create or replace function mnemo.require_same_length(p_a integer, p_b integer) returns boolean
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_a <> p_b then
        raise exception using errcode = 'MN001',
            message = format('invalid hypervector: lengths differ, %s bits against %s bits', p_a, p_b);
    end if;
    return true;
end
$$;
