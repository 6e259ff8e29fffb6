-- Raises MN011 while a subscription is event_backlog_most events behind. Backlogs are counted only when enough events
-- were published since the last count to make one full; a full one again only once it has got shorter.
-- The limit may be passed by a hundredth, and by what is under way at the moment.
create or replace function mnemo.require_room() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_last  bigint := coalesce(pg_sequence_last_value('mnemo.event_seq'), 0);
    v_most  bigint;
    v_group record;
    v_room  bigint;
begin
    if v_last < coalesce(pg_sequence_last_value('mnemo.event_room'), 0) then
        return;
    end if;
    v_most := mnemo.setting('event_backlog_most');
    v_room := v_most;
    for v_group in
        select s.id, s.name, p.looks_like, p.looks_like = pg_sequence_last_value('mnemo.event_full') as still_full
        from mnemo.subscription s
        cross join lateral (
            select hashint8extended(sum(c.acknowledged)::bigint / greatest(v_most / 100, 1), v_most + s.id) & 9223372036854775807 as looks_like
            from mnemo.event_cursor c where c.subscription = s.id
        ) as p
        order by still_full desc nulls last
    loop
        if v_group.still_full is not true then
            v_room := least(v_room, v_most - mnemo.event_backlog(v_group.id));
        end if;
        if v_group.still_full or v_room <= 0 then
            perform setval('mnemo.event_full', v_group.looks_like);
            raise exception 'subscription % is % events behind, and more are not allowed', quote_literal(v_group.name), v_most
                using errcode = 'MN011',
                      hint = 'Start more consumers and try again; else raise event_backlog_most, or call mnemo.unsubscribe(name).';
        end if;
    end loop;
    perform setval('mnemo.event_room', v_last + greatest(v_room, v_most / 100));
end
$$;
