-- What is wrong with an archived segment whose rows, all of them, a client has read into pg_temp.mnemo_fetched: each archived
-- memory must be there with its id, sketch and content, each dead row be that of its tombstone, and each row one or the other.
create or replace function mnemo.wrong_rows(p_segment integer) returns table (row_number integer, id uuid, problem text)
language sql stable
rows 10
set search_path = pg_catalog, pg_temp
as $$
    select a.row_number, a.id, case
        when f.id is null then 'is not in the objects'
        when f.id <> a.id then format('is memory %s in the objects', f.id)
        when length(f.hdv) is distinct from {bits} or substring(f.hdv from 1 for {archive_bits}) <> a.sketch
            then 'has another hypervector in the objects than its sketch is of'
        else 'has another content in the objects than was archived'
    end
    from mnemo.archived_memory a
    join mnemo.archive r on r.segment = a.segment
    left join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = a.row_number
    where a.segment = p_segment
      and (f.id is distinct from a.id or length(f.hdv) is distinct from {bits} or substring(f.hdv from 1 for {archive_bits}) <> a.sketch
           or f.content_sha256 is distinct from mnemo.content_hash(
                  row(a.occurred_at, a.created_at, 0, a.bucket, a.id, a.tenant, a.collection, f.hdv::bit({bits}), a.context, a.session,
                      a.key, f.content, f.attributes, f.embedding, f.encoded)::mnemo.memory))
    union all
    select t.row_number, t.id, format('is dead, and is memory %s in the objects', f.id)
    from mnemo.tombstone t
    join mnemo.archive r on r.segment = t.segment
    left join pg_temp.mnemo_fetched f on f.attempt = r.attempt and f.row_number = t.row_number
    where t.segment = p_segment and f.id is distinct from t.id
    union all
    select f.row_number, f.id, 'is neither archived nor dead'
    from mnemo.archive r
    join pg_temp.mnemo_fetched f on f.attempt = r.attempt
    where r.segment = p_segment
      and not exists (select from mnemo.archived_memory a where a.segment = p_segment and a.row_number = f.row_number)
      and not exists (select from mnemo.tombstone t where t.segment = p_segment and t.row_number = f.row_number)
    order by 1
$$;
