-- cleanup(hdv, k): the k items nearest to a noisy hypervector, nearest first, equal distances by name (byte order).
-- Exact: reads every item of this tenant. MN001 where hdv is not D bits, MN002 where k is not in 1 .. 4096; no rows for null.
create or replace function mnemo.cleanup(hdv bit, k integer default 1)
returns table (name text, distance integer)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    perform mnemo.require_bits(hdv);
    if k is null or k not between 1 and 4096 then
        raise exception using errcode = 'MN002',
            message = format('invalid k: %s is not between 1 and 4096', coalesce(k::text, 'null'));
    end if;
    return query
        select i.name, (i.hdv operator(public.<~>) cleanup.hdv)::integer
        from mnemo.item as i
        where i.tenant = (select mnemo.tenant()) and cleanup.hdv is not null
        order by 2, i.name collate "C"
        limit k;
end
$$;
