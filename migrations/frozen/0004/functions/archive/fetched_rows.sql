-- What a client has read of archived memories, as mnemo.search and its kin take it (their argument fetched): in the order of
-- the ids hypervector, text, and embedding where one is wanted. The rest is in mnemo.archived_memory. MN001 wrong length.
create or replace function mnemo.fetched_rows(ids uuid[], hdvs bit varying[], contents text[], embeddings bytea[]) returns mnemo.memory[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bad integer := (select length(h.hdv) from unnest(hdvs) as h (hdv) where length(h.hdv) is distinct from {bits} limit 1);
begin
    if v_bad is not null or cardinality(hdvs) <> cardinality(ids) then
        raise exception 'hypervector has % bits, this database stores {bits}', coalesce(v_bad::text, 'no') using errcode = 'MN001';
    end if;
    return array(
        select row(null, null, null, mnemo.bucket_of(f.id), f.id, null, null, f.hdv, null, null, null, f.content, null, f.embedding,
                   null)::mnemo.memory
        from unnest(ids, hdvs, contents, embeddings) with ordinality as f (id, hdv, content, embedding, place)
        order by f.place);
end
$$;
