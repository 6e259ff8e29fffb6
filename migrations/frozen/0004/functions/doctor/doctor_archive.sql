-- archive: what is marked for export is exported, attempts and requests succeed, and what was forgotten leaves the objects in time.
create or replace function mnemo.doctor_archive() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('archive', 'warn', string_agg(f.what, '; ' order by f.what),
        format('%s archived segments', (select count(*) from mnemo.archive)),
        'see that mnemo worker runs where the object store of this database can be reached, and what mnemo archive status says; '
        'mnemo archive compact takes forgotten memories out of the objects')
    from (
        select format('segment %s has failed %s times: %s', s.segment, s.failures, s.error) as what
        from mnemo.segment s where s.failures > 1
        union all
        select format('segment %s was to be exported since %s', s.segment, s.announced_at)
        from mnemo.segment s where s.state = 'sealed' and s.announced_at < mnemo.now() - interval '2 days'
          and exists (select from mnemo.policy p where p.kind = 'archive' and p.enabled)
        union all
        select format('%s memories could not be restored, at last: %s', count(*), max(r.error))
        from mnemo.restore_request r where r.failures > 1
        having count(*) > 0
        union all
        select format('%s memories forgotten since %s are in the objects of segment %s yet', count(*), min(t.at), t.segment)
        from mnemo.tombstone t
        where t.reason in ('forgotten', 'rewritten')
          and t.at < mnemo.now() - make_interval(secs => 86400 * (1 + mnemo.setting('archive_compact_days')))
        group by t.segment
    ) as f
$$;
