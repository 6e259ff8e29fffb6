-- The sealed segments of a tier that should become one: those that most memories, or all, have left; and, when there are more
-- than sealed_segments_most, the smallest, and each next one that is no larger than those before it together.
-- Rows are those of the last vacuum or analyze: exact counts would cost a scan.
create or replace function mnemo.segments_to_merge(p_tier text) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_largest double precision := mnemo.setting('segment_rows');
    v_segment record;
    v_chosen  integer[] := '{}';
    v_rows    double precision := 0;
begin
    for v_segment in
        select s.segment, c.reltuples as rows,
               c.reltuples = 0 or c.reltuples < 0.25 * pg_relation_size(c.oid) / ({toast_tuple_target} + 4.0) as is_sparse,
               row_number() over (order by c.reltuples, s.segment) <= count(*) over () - mnemo.setting('sealed_segments_most') + 1
               and count(*) over () > mnemo.setting('sealed_segments_most') as is_surplus
        from mnemo.segment s
        join pg_class c on c.oid = to_regclass(format('mnemo.%I', s.relation))
        where s.tier = p_tier and s.state = 'sealed' and c.reltuples between 0 and v_largest
        order by c.reltuples, s.segment
    loop
        exit when v_rows + v_segment.rows > 2 * v_largest;
        if v_segment.is_sparse or v_segment.is_surplus or (cardinality(v_chosen) > 1 and v_segment.rows <= v_rows) then
            v_chosen := v_chosen || v_segment.segment;
            v_rows := v_rows + v_segment.rows;
        end if;
    end loop;
    return v_chosen;
end
$$;
