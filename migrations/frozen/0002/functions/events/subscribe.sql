-- Makes a group of consumers that gets the events of some topics: those committed from now on, or, from_start, also
-- those still in the log. Returns false when it is there with the same topics, and then changes only how it retries;
-- MN002 when it has others, MN010 for an unknown topic.
-- Invariant: every event that is not visible in the snapshot the cursors start from is yet to come in some tick, since
-- that snapshot is taken after the tick was read.
create or replace function mnemo.subscribe(
    name         text,
    topics       text[],
    from_start   boolean default false,
    visibility   interval default '30 s',
    max_attempts integer default 5,
    backoff      interval default '1 s'
) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_there  mnemo.subscription;
    v_topics text[] := array(select distinct t.name from unnest(subscribe.topics) as t (name) order by 1);
    v_id     integer;
    v_head   mnemo.event_head;
    v_done   pg_snapshot := '1:1:';
begin
    if cardinality(v_topics) = 0 then
        raise exception 'a subscription needs at least one topic' using errcode = 'MN002';
    end if;
    perform mnemo.topic_is_written(t.name) from unnest(v_topics) as t (name);
    -- Beyond it a lease would end after the end of time.
    if greatest(subscribe.visibility, subscribe.backoff) > interval '100 years' then
        raise exception 'visibility and backoff of subscription % must be at most 100 years', coalesce(quote_literal(subscribe.name), 'null')
            using errcode = 'MN002';
    end if;

    insert into mnemo.subscription (name, topics, visibility, max_attempts, backoff, created_at)
    values (subscribe.name, v_topics, subscribe.visibility, subscribe.max_attempts, subscribe.backoff, mnemo.now())
    on conflict (name) do nothing
    returning id into v_id;
    if v_id is null then
        update mnemo.subscription s
        set visibility = subscribe.visibility, max_attempts = subscribe.max_attempts, backoff = subscribe.backoff
        where s.name = subscribe.name
        returning * into v_there;
        if v_there.topics <> v_topics then
            raise exception 'subscription % has other topics: %', quote_literal(subscribe.name), array_to_string(v_there.topics, ', ')
                using errcode = 'MN002';
        end if;
        return false;
    end if;

    select * into v_head from mnemo.event_head;
    if not from_start then
        select pg_current_snapshot() into v_done;
    end if;
    insert into mnemo.event_cursor (subscription, lane, tick, floor, done)
    select v_id, l.lane, case when from_start then -1 else v_head.tick end, case when from_start then 0 else v_head.floor end, v_done
    from generate_series(0, 63) as l (lane);
    -- The events in the log may be more than it may be behind.
    perform setval('mnemo.event_room', 0);
    return true;
exception
    when check_violation or not_null_violation then
        raise exception 'invalid definition of subscription %', coalesce(quote_literal(subscribe.name), 'null')
            using errcode = 'MN002', detail = sqlerrm;
end
$$;
