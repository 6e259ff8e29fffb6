-- Publishes events of one topic, the nth of each array belonging together, in this order: mnemo.publish for many.
-- A missing payload is {}.
create or replace function mnemo.publish_all(topic text, contexts text[], memory_ids uuid[], payloads jsonb[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_xid    xid8;
begin
    if not mnemo.topic_is_written(topic) then
        return;
    end if;
    perform mnemo.require_room();
    v_xid := pg_current_xact_id();
    insert into mnemo.event (seq, xid, memory_id, at, slot, lane, topic, tenant, context, payload)
    select n.seq, v_xid, n.memory_id, mnemo.now(), l.slot, mnemo.event_lane(v_tenant, n.context, n.memory_id, n.seq),
           publish_all.topic, v_tenant, n.context, coalesce(n.payload, '{}')
    from mnemo.event_log l
    cross join (
        select nextval('mnemo.event_seq') as seq, u.*
        from unnest(contexts, memory_ids, payloads) as u (context, memory_id, payload)
    ) as n;
    if found then
        perform mnemo.wake_consumers();
    end if;
end
$$;
