-- The newest events of the log, oldest first: of a topic, or of all; of all tenants.
create or replace function mnemo.tail_events(most integer default 20, topic text default null)
returns table (seq bigint, at timestamptz, topic text, tenant text, context text, memory_id uuid, payload jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
    select t.* from (
        select e.seq, e.at, e.topic, e.tenant, e.context, e.memory_id, e.payload
        from mnemo.event e
        where tail_events.topic is null or e.topic = tail_events.topic
        order by e.xid desc, e.seq desc
        limit greatest(tail_events.most, 0)
    ) as t
    order by t.seq
$$;
