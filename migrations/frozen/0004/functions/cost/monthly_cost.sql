-- What the memories of all tenants cost a month where they are now, in dollars: a row for each tier and the archive, then the total.
-- bytes: of one memory; null: as measured, mnemo.mean_memory_bytes(). MN002 unless positive.
create or replace function mnemo.monthly_cost(bytes double precision default null)
returns table (tier text, memories bigint, total_bytes double precision, price_per_tb_month double precision, monthly_cost double precision)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bytes double precision := mnemo.check_bytes(coalesce(bytes, mnemo.mean_memory_bytes()));
begin
    return query
    with held as (
        select p.tier, p.place, coalesce(a.memories, 0) as memories, p.price_per_tb_month
        from mnemo.tier_price p
        left join (select b.tier, count(*) as memories from mnemo.activity b group by b.tier
                   union all select 'archive', count(*) from mnemo.archived_memory) as a using (tier)
    )
    select coalesce(h.tier, 'total'), sum(h.memories)::bigint, sum(h.memories)::double precision * v_bytes,
           case when h.tier is not null then max(h.price_per_tb_month)::double precision end,
           sum(mnemo.dollars(h.memories, v_bytes, h.price_per_tb_month))
    from held h
    group by grouping sets ((h.tier), ())
    order by grouping(h.tier), min(h.place);
end
$$;
