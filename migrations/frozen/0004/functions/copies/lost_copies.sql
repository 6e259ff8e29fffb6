-- Which of these memories the database lacks: no tier and no archived segment has them, and it does not say that they were
-- forgotten. tier: where the activity row says that it was, null without one.
create or replace function mnemo.lost_copies(ids uuid[]) returns table (id uuid, tier text)
language sql stable
rows 1000
set search_path = pg_catalog, pg_temp
as $$
    select w.id, a.tier
    from unnest(lost_copies.ids) as w (id)
    left join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    where not exists (select from mnemo.memory m where m.bucket = mnemo.bucket_of(w.id) and m.id = w.id)
      and not exists (select from mnemo.archived_memory m where m.bucket = mnemo.bucket_of(w.id) and m.id = w.id)
      and not exists (select from mnemo.uncopied u where u.id = w.id and u.forgotten)
      and not exists (select from mnemo.tombstone t where t.id = w.id and t.reason = 'forgotten')
$$;
