-- Notes that the records of a source up to p_to have been read: to be called in the transaction that stores those from
-- p_from on. MN009 when they are stored already, because somebody else reads the same source: then neither writes twice.
create or replace function mnemo.advance_ingest(source text, collection text, p_from bigint, p_to bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into mnemo.ingest as i (tenant, collection, source, position, started_at, updated_at)
    values (mnemo.tenant(), advance_ingest.collection, advance_ingest.source, 0, mnemo.now(), mnemo.now())
    on conflict do nothing;
    update mnemo.ingest i set position = p_to, updated_at = mnemo.now()
    where i.tenant = (select mnemo.tenant()) and i.collection = advance_ingest.collection and i.source = advance_ingest.source
      and i.position = p_from and p_to >= p_from;
    if not found then
        raise exception 'records of % from % on are being stored by another ingest', quote_literal(advance_ingest.source), p_from + 1
            using errcode = 'MN009', hint = 'Start again: it goes on after the last record stored.';
    end if;
end
$$;
