-- Copies the memories named in pg_temp.mnemo_copied, in just the version named there, into a new table that is to become the
-- partition of p_segment, and builds its indexes. Those that have a pending hypervector, made of that version, get it.
-- Nobody is locked out: changes made meanwhile are found by whoever puts it in their place. Returns the name of the table.
create or replace function mnemo.copy_to_partition(p_segment integer) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- One processor builds, the others answer: with parallel workers it is done in half the time, and recall waits for them.
set max_parallel_maintenance_workers = 0
as $$
declare
    v_tier     text := mnemo.tier_of_segment(p_segment);
    v_relation text := format('memory_%s_%s', v_tier, abs(p_segment));
    v_columns  text;
begin
    analyze pg_temp.mnemo_copied;
    perform mnemo.create_partition(v_relation, v_tier);
    select string_agg(case a.attname
                          when 'segment' then p_segment::text
                          when 'hdv' then 'coalesce(p.hdv, m.hdv)'
                          when 'encoded' then 'case when p.hdv is not null then ''c'' else m.encoded end'
                          else format('m.%I', a.attname)
                      end, ', ' order by a.attnum)
    into v_columns
    from pg_attribute a
    where a.attrelid = 'mnemo.memory'::regclass and a.attnum > 0 and not a.attisdropped;
    execute format(
        'insert into mnemo.%I '
        'select %s from pg_temp.mnemo_copied c '
        'join mnemo.memory m on m.segment = c.segment and m.bucket = c.bucket and m.id = c.id and m.ctid = c.place and m.xmin = c.writer '
        'left join mnemo.pending_hypervector p '
        'on p.bucket = c.bucket and p.id = c.id and p.segment = c.segment and p.place = c.place and p.writer = c.writer and m.encoded = ''w'' '
        'order by m.id', v_relation, v_columns);
    perform mnemo.injection_point('copy.copied');
    perform mnemo.index_partition(v_relation, v_tier);
    execute format('analyze mnemo.%I', v_relation);
    perform mnemo.injection_point('copy.indexed');
    return v_relation;
end
$$;
