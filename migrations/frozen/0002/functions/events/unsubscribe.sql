-- Ends a subscription: its position, its parked events and its dead letters go with it. MN010 when there is none.
create or replace function mnemo.unsubscribe(name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer := (mnemo.subscription_named(name)).id;
begin
    delete from mnemo.subscription s where s.id = v_id;
    perform setval('mnemo.event_room', 0);
end
$$;
