-- Ends a subscription: its position, its parked events and its dead letters go with it. MN010 when there is none.
-- Locks: its cursors, in the order of the lanes, before its row: who parks events holds a cursor and refers to the row.
create or replace function mnemo.unsubscribe(name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer := (mnemo.subscription_named(name)).id;
begin
    perform from mnemo.event_cursor c where c.subscription = v_id order by c.lane for update;
    delete from mnemo.subscription s where s.id = v_id;
    perform setval('mnemo.event_room', 0);
end
$$;
