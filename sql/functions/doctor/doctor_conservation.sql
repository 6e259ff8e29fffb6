-- conservation: each memory has exactly one row in mnemo.memory and one in mnemo.activity that names its segment, and
-- a key exactly where mnemo.memory_key says so. Without p_deep only the numbers of rows are compared, and not even
-- those once mnemo.activity has 256 MB.
create or replace function mnemo.doctor_conservation(p_deep boolean) returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_memories bigint;
    v_trouble  text;
begin
    if not p_deep and pg_relation_size('mnemo.activity') > 268435456 then
        return row('conservation', 'ok', 'not looked at: too many memories to count in passing; mnemo.doctor(deep => true) does', null)::mnemo.finding;
    end if;
    select sum(m.rows), string_agg(format('segment %s: %s memories, %s activity rows', segment, coalesce(m.rows, 0), coalesce(a.rows, 0)), '; ' order by segment)
           filter (where m.rows is distinct from a.rows)
    into v_memories, v_trouble
    from (select segment, count(*) as rows from mnemo.memory group by segment) m
    full join (select segment, count(*) as rows from mnemo.activity group by segment) a using (segment);
    if p_deep then
        select nullif(concat_ws('; ', v_trouble, string_agg(format('%s %s', f.rows, f.what), '; ' order by f.what) filter (where f.rows > 0)), '')
        into v_trouble
        from (
            select 'memories without an activity row of their segment and tenant' as what, count(*) as rows
            from mnemo.memory m
            where not exists (select from mnemo.activity a
                              where a.bucket = m.bucket and a.id = m.id and a.segment = m.segment and a.tenant = m.tenant)
            union all
            select 'activity rows without a memory', count(*)
            from mnemo.activity a
            where not exists (select from mnemo.memory m where m.bucket = a.bucket and m.id = a.id and m.segment = a.segment)
            union all
            select 'memories whose key is not theirs', count(*)
            from mnemo.memory m
            where m.key is not null
              and not exists (select from mnemo.memory_key k
                              where k.tenant = m.tenant and k.collection = m.collection and k.key = m.key and k.id = m.id)
            union all
            select 'keys without a memory', count(*)
            from mnemo.memory_key k
            where not exists (select from mnemo.memory m where m.bucket = k.bucket and m.id = k.id and m.key = k.key)
              and not exists (select from mnemo.archived_memory m where m.bucket = k.bucket and m.id = k.id and m.key = k.key)
            union all
            select 'archived memories whose key is not theirs', count(*)
            from mnemo.archived_memory m
            where m.key is not null
              and not exists (select from mnemo.memory_key k
                              where k.tenant = m.tenant and k.collection = m.collection and k.key = m.key and k.id = m.id)
            union all
            select 'memories that are archived too', count(*)
            from mnemo.archived_memory a
            where exists (select from mnemo.activity b where b.bucket = a.bucket and b.id = a.id)
            union all
            select 'memories archived twice', count(*) from (select from mnemo.archived_memory a group by a.id having count(*) > 1) as d
            union all
            select 'archived memories whose segment or row has gone', count(*)
            from mnemo.archived_memory a
            where not exists (select from mnemo.archive r where r.segment = a.segment and a.row_number < r.rows)
               or exists (select from mnemo.tombstone t where t.segment = a.segment and t.row_number = a.row_number)
        ) as f;
    end if;
    return mnemo.verdict('conservation', 'fail', v_trouble,
        format('%s memories, each with one activity row', coalesce(v_memories, 0)) || case when p_deep then ' and its own key' else '' end,
        'somebody wrote to these tables other than through the functions: mnemo.doctor(deep => true) tells more; restore from a backup');
end
$$;
