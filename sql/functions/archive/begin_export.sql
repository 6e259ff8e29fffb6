-- Takes a cold segment to export it and returns its row with a new attempt, or goes on with one whose worker has not been
-- heard of since its lease ended: the attempt stays the same, and so do the objects. segment null: the next one that
-- mnemo.archive_step has marked and nobody has used since; else that one, whenever it was used: sealed first if it is open.
-- Memories of tenants that may not be in this store (mnemo.held_tenants) stay, as pinned ones do.
-- No row when there is none, or somebody else is at it. MN010 for what is no cold segment, or has no memories.
-- Invariant kept: an exporting segment has one attempt, and whoever takes it over writes what that attempt wrote.
create or replace function mnemo.begin_export(worker text, segment integer default null) returns setof mnemo.segment
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_lease   interval := make_interval(secs => mnemo.setting('archive_lease_seconds'));
    v_segment mnemo.segment;
    v_held    text[] := mnemo.held_tenants();
begin
    if segment is not null then
        select s.* into v_segment from mnemo.segment s where s.segment = begin_export.segment;
        if not found or v_segment.tier <> 'cold' or v_segment.state = 'emptied' then
            raise exception 'there is no cold segment %', segment using errcode = 'MN010';
        end if;
        perform from mnemo.activity a where a.segment = begin_export.segment and not a.pinned and a.tenant <> all (v_held) limit 1;
        if not found then
            raise exception 'segment % holds no memories that could be archived', segment using errcode = 'MN010', detail = coalesce(case
                when exists (select from mnemo.activity a where a.segment = begin_export.segment and a.tenant = any (v_held))
                then 'It has some of tenants whose data must not be in this store.'
            end, '');
        end if;
        if v_segment.state = 'open' and mnemo.seal_segment() is distinct from segment then
            return;
        end if;
    end if;
    select s.* into v_segment
    from mnemo.segment s
    where s.tier = 'cold' and (begin_export.segment is null or s.segment = begin_export.segment)
      and (s.state = 'exporting' and s.lease_until <= clock_timestamp()
           or s.state = 'sealed' and (s.segment = begin_export.segment or s.announced_at is not null and not exists (
               select from mnemo.activity a
               where a.segment = s.segment and not a.pinned and a.tenant <> all (v_held) and greatest(a.last_access, a.entered_tier_at) > s.announced_at)))
    order by s.state <> 'exporting', s.segment
    limit 1
    for update skip locked;
    if not found then
        return;
    end if;
    return query
    update mnemo.segment s
    set state = 'exporting', attempt = coalesce(s.attempt, gen_random_uuid()), worker = begin_export.worker,
        lease_until = clock_timestamp() + v_lease
    where s.segment = v_segment.segment
    returning s.*;
    perform mnemo.injection_point('export.begun');
end
$$;
