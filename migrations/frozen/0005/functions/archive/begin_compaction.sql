-- Takes archived segments to write what is alive in them anew, and returns their rows, with one attempt, or goes on with
-- those whose worker has not been heard of since its lease ended. segments null: of the segments with enough dead rows
-- (archive_compact_share), with memories forgotten archive_compact_days ago, or of which there are too many small ones, the
-- first, and what it can be merged with: segments of the same encoding that are due too, or small, up to
-- archive_segment_rows memories. Else just these. No row when there is nothing to do, or somebody else is at it.
-- A segment with memories of a tenant that may not be in this store (mnemo.held_tenants) waits until they have been brought
-- back; one with dead rows of such a tenant is due at once.
-- MN010 for what is no archived segment, MN014 for one that has to wait.
create or replace function mnemo.begin_compaction(worker text, segments integer[] default null) returns setof mnemo.segment
language plpgsql volatile
rows 2
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    -- Each segment is one more index to search.
    c_small_ones constant integer := 8;
    v_most    double precision := mnemo.setting('archive_segment_rows');
    v_attempt uuid;
    v_chosen  integer[];
    v_unknown integer;
    v_held    text[] := mnemo.held_tenants();
    v_waiting text;
begin
    if segments is not null then
        select w.segment into v_unknown
        from unnest(segments) as w (segment)
        where not exists (select from mnemo.archive r where r.segment = w.segment)
        limit 1;
        if found then
            raise exception 'there is no archived segment %', coalesce(v_unknown::text, 'null') using errcode = 'MN010';
        end if;
        select a.tenant into v_waiting from mnemo.archived_memory a where a.segment = any (segments) and a.tenant = any (v_held) limit 1;
        if found then
            raise exception 'memories of tenant % are there, which may not be written to this store again', quote_literal(v_waiting)
                using errcode = 'MN014', hint = 'mnemo worker brings them back; then their rows can be left out.';
        end if;
        v_chosen := segments;
    end if;
    select s.attempt into v_attempt
    from mnemo.segment s
    where s.state = 'compacting' and s.lease_until <= clock_timestamp() and (v_chosen is null or s.segment = any (v_chosen))
    order by s.segment
    limit 1;
    if found then
        v_chosen := array(select s.segment from mnemo.segment s where s.attempt = v_attempt);
    elsif segments is null then
        with known as (
            -- Together go those that are encoded alike; a dimension that one does not know yet is no difference.
            select s.segment,
                   coalesce((select jsonb_object_agg(c.key, c.value - array['dimension', 'keep_embedding', 'ranking', 'confidence_distance', 'bucket_rule', 'created_at'])
                             from jsonb_each(r.collections) as c), '{}') as collections,
                   r.rows - coalesce(t.dead, 0) as alive,
                   t.dead > 0 and t.dead >= r.rows * mnemo.setting('archive_compact_share')
                   or coalesce(t.is_held, false)
                   or coalesce(t.forgotten_at <= mnemo.now() - make_interval(secs => 86400 * mnemo.setting('archive_compact_days')), false) as is_due
            from mnemo.segment s
            join mnemo.archive r using (segment)
            left join lateral (
                select count(*) as dead, min(x.at) filter (where x.reason in ('forgotten', 'rewritten')) as forgotten_at,
                       bool_or(x.tenant = any (v_held)) as is_held
                from mnemo.tombstone x where x.segment = s.segment
            ) as t on true
            where s.state = 'archived'
              and not exists (select from mnemo.archived_memory a where a.segment = s.segment and a.tenant = any (v_held))
        ), sized as (
            select k.*, k.alive <= v_most / 4 as is_small,
                   count(*) filter (where k.alive <= v_most / 4) over (partition by k.collections) >= c_small_ones as are_many
            from known k
        ), first as (
            select z.* from sized z where z.is_due or z.is_small and z.are_many order by z.is_due desc, z.segment limit 1
        ), listed as (
            select z.segment, sum(z.alive) over (order by z.segment <> f.segment, z.is_due desc, z.segment) as total, z.segment = f.segment as is_first
            from sized z join first f on f.collections = z.collections
            where z.segment = f.segment or (z.is_due or z.is_small) and f.alive <= v_most / 2
        )
        select array_agg(l.segment order by l.segment) into v_chosen from listed l where l.is_first or l.total <= v_most;
    end if;
    perform from mnemo.segment s where s.segment = any (v_chosen) order by s.segment for update of s;
    -- Looked at again, now that they are ours.
    if exists (select from mnemo.segment s
               where s.segment = any (v_chosen)
                 and not (s.state = 'archived' or s.state = 'compacting' and s.attempt = v_attempt and s.lease_until <= clock_timestamp())) then
        return;
    end if;
    v_attempt := coalesce(v_attempt, gen_random_uuid());
    return query
    update mnemo.segment s
    set state = 'compacting', attempt = v_attempt, worker = begin_compaction.worker,
        lease_until = clock_timestamp() + make_interval(secs => mnemo.setting('archive_lease_seconds'))
    where s.segment = any (v_chosen)
    returning s.*;
    perform mnemo.injection_point('compact.begun');
end
$$;
