-- Charges what memories that come back from the archive turn out to take more than was known of them: those archived before
-- there were quotas counted with their hypervectors alone. Their contents are in pg_temp.mnemo_fetched; no limit refuses them.
create or replace function mnemo.size_fetched(p_archived mnemo.archived_memory[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.correct_usage(s.tenant, 0, s.bytes)
    from (select a.tenant, sum(mnemo.object_bytes(f.content, f.embedding) - a.object_bytes)::bigint as bytes
          from unnest(p_archived) as a
          join mnemo.archive r on r.segment = a.segment
          join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = a.row_number
          where exists (select from mnemo.quota)
          group by a.tenant
          order by a.tenant) as s
$$;
