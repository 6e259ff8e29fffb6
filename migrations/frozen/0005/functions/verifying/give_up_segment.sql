-- Takes an archived segment out that no memory is left in, though its objects cannot be read; false when there is one, or
-- somebody is at it. What its dead rows said stays counted among the words: nobody can read them.
create or replace function mnemo.give_up_segment(segment integer) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from mnemo.segment s where s.segment = give_up_segment.segment and s.state = 'archived' for update;
    if not found or exists (select from mnemo.archived_memory a where a.segment = give_up_segment.segment) then
        return false;
    end if;
    perform mnemo.empty_segments(array[give_up_segment.segment]);
    update mnemo.segment s set state = 'emptied' where s.segment = give_up_segment.segment;
    perform mnemo.injection_point('verify.given_up');
    perform mnemo.record_audit('segment.give_up', give_up_segment.segment::text, '{}', '');
    return true;
end
$$;
