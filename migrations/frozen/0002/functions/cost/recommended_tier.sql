-- The tier for a memory with so many accesses an hour: the fastest whose accesses_per_hour it exceeds, else the last.
-- MN002 unless the rate is a number from 0.
create or replace function mnemo.recommended_tier(rate double precision) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if (rate >= 0 and rate <> 'nan') is not true then
        raise exception 'rate must be a number from 0, not %', coalesce(rate::text, 'null') using errcode = 'MN002';
    end if;
    return (select p.tier from mnemo.tier_price p
            order by rate > p.accesses_per_hour desc, case when rate > p.accesses_per_hour then p.place else -p.place end
            limit 1);
end
$$;
