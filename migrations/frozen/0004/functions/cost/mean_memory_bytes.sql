-- The bytes that a memory takes on average, measured: the partitions with their indexes over the memories in them; those of
-- archived memories, which are elsewhere, are left out.
-- Fewer than 1,000 memories say more about half-empty pages: then mnemo.memory_bytes() is the answer.
create or replace function mnemo.mean_memory_bytes() returns double precision
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when a.memories < 1000 then mnemo.memory_bytes() else s.bytes / a.memories end::double precision
    from (select count(*) as memories from mnemo.activity) as a
    cross join (select sum(pg_total_relation_size(to_regclass(format('mnemo.%I', g.relation)))) as bytes from mnemo.segment g where g.tier <> 'archive') as s
$$;
