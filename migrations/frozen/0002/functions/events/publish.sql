-- Publishes an event as part of the caller's transaction: rolled back, nobody sees it. Returns its number; null where
-- the topic is not kept and nobody subscribes to it. Events of one context are delivered in the order of their
-- numbers. MN010 for an unknown topic, MN011 while a subscription is too far behind.
-- Locks nothing. The transaction's id is taken before the number: the ticks of mnemo.tick_events rest on that.
create or replace function mnemo.publish(topic text, payload jsonb, context text default null, memory_id uuid default null) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_xid    xid8;
    v_seq    bigint;
    v_slot   smallint;
begin
    if payload is null then
        raise exception 'the payload of an event must not be null' using errcode = 'MN002';
    end if;
    if not mnemo.topic_is_written(topic) then
        return null;
    end if;
    perform mnemo.require_room();
    v_xid := pg_current_xact_id();
    v_seq := nextval('mnemo.event_seq');
    -- Apart from the insert, which takes four times as long as a select from a table.
    select l.slot into v_slot from mnemo.event_log l;
    insert into mnemo.event (seq, xid, memory_id, at, slot, lane, topic, tenant, context, payload)
    values (v_seq, v_xid, publish.memory_id, mnemo.now(), v_slot, mnemo.event_lane(v_tenant, publish.context, publish.memory_id, v_seq),
            publish.topic, v_tenant, publish.context, publish.payload);
    perform mnemo.wake_consumers();
    return v_seq;
end
$$;
