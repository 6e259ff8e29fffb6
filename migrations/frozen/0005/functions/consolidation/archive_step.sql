-- Does nothing without an archive policy. Else it seals the open cold segment once that is full or old enough
-- (archive_segment_rows, archive_seal_days), and marks each sealed one with memories of which none was used or moved in for
-- as long as the policy says, once until it is used again; announces it (topic consolidation.trigger), and returns how many
-- it sealed and marked. Memories of tenants that may not be in the store in use (mnemo.held_tenants) do not count. Accesses not yet counted are counted first. A worker with an object store exports what is marked.
-- Invariant kept: segment.announced_at is set in the transaction that publishes.
create or replace function mnemo.archive_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_rows    constant integer := 1000;
    v_now     timestamptz := mnemo.now();
    v_after   interval;
    v_folded  integer;
    v_open    integer := mnemo.segment_of_tier('cold');
    v_segment record;
    v_held    text[] := mnemo.held_tenants();
    v_done    bigint := 0;
begin
    select p.after into v_after from mnemo.policy p where p.kind = 'archive' and p.enabled;
    if not found then
        return 0;
    end if;
    v_folded := mnemo.fold_accesses(c_rows);
    if v_folded = c_rows then
        return v_folded;
    end if;
    if (select count(*) >= mnemo.setting('archive_segment_rows')
               or min(a.entered_tier_at) <= v_now - make_interval(secs => 86400 * mnemo.setting('archive_seal_days'))
        from mnemo.activity a where a.segment = v_open and a.tenant <> all (v_held)) and mnemo.seal_segment() is not null then
        return 1;
    end if;
    for v_segment in
        select s.segment, used.memories
        from mnemo.segment s
        join (select a.segment, count(*) as memories, max(greatest(a.last_access, a.entered_tier_at)) as at
              from mnemo.activity a
              where a.tier = 'cold' and not a.pinned and a.tenant <> all (v_held)
              group by a.segment) as used using (segment)
        where s.state = 'sealed' and used.at <= v_now - v_after and (s.announced_at is null or s.announced_at < used.at)
        order by s.segment
        for update of s skip locked
    loop
        update mnemo.segment s set announced_at = v_now where s.segment = v_segment.segment;
        perform mnemo.injection_point('archive.announced');
        perform mnemo.publish('consolidation.trigger', jsonb_build_object(
            'from', 'cold', 'to', 'archive', 'segment', v_segment.segment, 'rows', v_segment.memories, 'reason', 'idle'));
        v_done := v_done + 1;
    end loop;
    return v_done;
end
$$;
