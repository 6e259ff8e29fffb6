-- What may be deleted from the object store, and why: objects of this database that nothing reads, longer than
-- archive_grace_days, and, of p_keys that the store lists and says to be older than that, those that nobody knows of. What is
-- in p_held, by copies of this database, is not; neither is what is under way.
create or replace function mnemo.garbage(p_keys text[], p_held text[])
returns table (key text, bytes bigint, reason text)
language sql stable
rows 100
set search_path = pg_catalog, pg_temp
as $$
    with own as (
        select i.database from mnemo.identity i where i.is_current
    )
    select o.key, o.bytes, case o.state when 'deleting' then 'its deletion had begun' else format('not needed since %s', o.changed_at) end
    from mnemo.object o join own on own.database = o.owner
    where (o.state = 'deleting'
           or o.state = 'dropped' and o.changed_at <= clock_timestamp() - make_interval(secs => 86400 * mnemo.setting('archive_grace_days')))
      and not o.key = any (p_held)
      and not exists (select from mnemo.referenced_object r where r.key = o.key)
    union all
    select u.key, null, 'nobody knows of it'
    from unnest(p_keys) as u (key) cross join own
    where u.key ~ format('^%s/(segments|copies)/', own.database)
      and not u.key = any (p_held)
      and not exists (select from mnemo.object o where o.key = u.key)
$$;
