-- The bytes of a memory, handed through; MN002 unless positive and finite.
create or replace function mnemo.check_bytes(p_bytes double precision) returns double precision
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    if (p_bytes > 0 and p_bytes < 1e15) is not true then
        raise exception 'bytes of a memory must be a positive number, not %', coalesce(p_bytes::text, 'null') using errcode = 'MN002';
    end if;
    return p_bytes;
end
$$;
