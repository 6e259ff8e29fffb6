-- Ends an export that found nothing to write: all that could leave was forgotten, used or pinned meanwhile. What was written
-- of it is needed no more. MN012 when the attempt is no longer under way, MN014 when it is no export.
create or replace function mnemo.abandon_export(attempt uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_segment integer;
begin
    perform mnemo.require_attempt(abandon_export.attempt);
    select s.segment into v_segment from mnemo.segment s where s.attempt = abandon_export.attempt and s.state = 'exporting';
    if not found then
        raise exception 'attempt % is no export', abandon_export.attempt using errcode = 'MN014';
    end if;
    perform mnemo.drop_objects(abandon_export.attempt);
    perform mnemo.end_attempt(
        abandon_export.attempt, case when exists (select from mnemo.memory m where m.segment = v_segment) then 'sealed' else 'emptied' end);
    perform mnemo.injection_point('export.abandoned');
end
$$;
