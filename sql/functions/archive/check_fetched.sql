-- Compares rows of objects with what is known of them here: raises data_corrupted for the first whose hypervector does not
-- begin with the sketch of the memory, or whose columns do not make the hash that was taken when it was archived.
create or replace function mnemo.check_fetched(p_archived mnemo.archived_memory[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong record;
begin
    perform mnemo.require_staging('mnemo_fetched');
    select a.id, a.segment, a.row_number into v_wrong
    from unnest(p_archived) as a
    join mnemo.archive r on r.segment = a.segment
    left join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = a.row_number and f.id = a.id
    where f.id is null or length(f.hdv) <> {bits} or substring(f.hdv from 1 for {archive_bits}) <> a.sketch
       -- As it was then: attributes may have changed since.
       or f.content_sha256 is distinct from mnemo.content_hash(
              row(a.occurred_at, a.created_at, 0, a.bucket, a.id, a.tenant, a.collection, f.hdv::bit({bits}), a.context, a.session,
                  a.key, f.content, f.attributes, f.embedding, f.encoded)::mnemo.memory)
    limit 1;
    if found then
        raise exception 'row % of archived segment % is not memory % as it was archived', v_wrong.row_number, v_wrong.segment, v_wrong.id
            using errcode = 'data_corrupted', hint = 'Nothing has changed. mnemo archive verify tells more.';
    end if;
end
$$;
