-- Drops the partitions that a merge or the archive has emptied, once every snapshot is younger than that: in an older one, a
-- search that has just begun or a transaction that repeats its reads, they hold memories yet. Returns how many; 0 also when
-- somebody else rebuilds a partition or stays in the table: the next call tries again. One that got a memory after it was
-- emptied, from a writer that had looked for its segment before, is sealed again instead.
create or replace function mnemo.drop_emptied() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_emptied integer[];
    v_segment integer;
    v_tier    text;
    v_gone    text;
    v_used    boolean;
    v_done    bigint := 0;
    v_before  text := current_setting('lock_timeout');
begin
    if not exists (select from mnemo.segment s where s.state = 'emptied') then
        return 0;
    end if;
    lock table only mnemo.memory in share update exclusive mode nowait;
    -- Whoever emptied it was the last to write the row. Read first, so that every snapshot taken before it ended is in the view.
    perform pg_stat_clear_snapshot();
    v_emptied := array(select s.segment from mnemo.segment s where s.state = 'emptied');
    v_emptied := array(
        select s.segment from mnemo.segment s
        where s.segment = any (v_emptied)
          and age(s.xmin) > all (select age(b.backend_xmin) from pg_stat_activity b where b.backend_xmin is not null));
    if v_emptied = '{}' then
        return 0;
    end if;
    perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds', 1);
    if exists (select from mnemo.segment s where s.segment = any (v_emptied) and s.tier = 'archive') then
        perform mnemo.lock_patiently('access exclusive', interval '20 milliseconds', 1, 'mnemo.archived_memory');
    end if;
    -- Somebody at work on one of them alone, a vacuum for one, is not waited for while everybody waits.
    perform set_config('lock_timeout', '20ms', true);
    foreach v_segment in array v_emptied loop
        select s.relation, s.tier into v_gone, v_tier from mnemo.segment s where s.segment = v_segment;
        execute format('select exists (select from mnemo.%I)', v_gone) into v_used;
        if v_used then
            update mnemo.segment s set state = case v_tier when 'archive' then 'archived' else 'sealed' end where s.segment = v_segment;
            continue;
        end if;
        delete from mnemo.segment s where s.segment = v_segment;
        execute format('alter table mnemo.%I detach partition mnemo.%I',
                       case v_tier when 'archive' then 'archived_memory' else 'memory' end, v_gone);
        execute format('drop table mnemo.%I', v_gone);
        v_done := v_done + 1;
    end loop;
    perform mnemo.injection_point('merge.dropped');
    perform set_config('lock_timeout', v_before, true);
    return v_done;
exception
    when lock_not_available then
        return 0;
end
$$;
