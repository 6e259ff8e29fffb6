-- What an export is ordered by: id, version and leading components of each memory of a segment that is to leave; pinned ones
-- stay, and those of tenants that may not be in this store. More components than the archive's sketch has put near neighbours closer together.
create or replace function mnemo.export_sketches(p_segment integer)
returns table (bucket smallint, id uuid, place tid, writer xid, sketch bit varying)
language sql stable
rows 100000
set search_path = pg_catalog, pg_temp
as $$
    select m.bucket, m.id, m.ctid, m.xmin, substring(m.hdv from 1 for least(4096, {bits}))
    from mnemo.memory m
    join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment
    where m.segment = p_segment and not a.pinned and m.tenant <> all (mnemo.held_tenants())
$$;
