-- Of forgotten memories those that copies must go on to call so: their rows are in objects of the archive yet, or were until
-- lately, and a database built anew from those would bring them back. p_at: when each was forgotten.
create or replace function mnemo.kept_forgotten(p_ids uuid[], p_at timestamptz[]) returns setof uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select w.id
    from unnest(p_ids, p_at) as w (id, at)
    where w.at is null
       or w.at > mnemo.now() - make_interval(secs => 86400 * (mnemo.setting('archive_compact_days') + mnemo.setting('archive_grace_days')))
       or w.id in (select t.id from mnemo.tombstone t)
$$;
