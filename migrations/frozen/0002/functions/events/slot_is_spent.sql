-- Whether nobody needs a slot of the ring any more: its newest event is older than event_keep_hours and than the newest
-- event_keep_count, and every subscription has done with those it wants. True of an empty slot.
create or replace function mnemo.slot_is_spent(p_slot smallint) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    v_newest record;
begin
    select e.xid, max(e.seq) as seq, max(e.at) as at into v_newest
    from mnemo.event e
    where e.slot = p_slot and e.xid = (select n.xid from mnemo.event n where n.slot = p_slot order by n.xid desc limit 1)
    group by e.xid;
    if not found then
        return true;
    end if;
    return v_newest.at <= mnemo.now() - mnemo.setting('event_keep_hours') * interval '1 hour'
       and v_newest.seq <= coalesce(pg_sequence_last_value('mnemo.event_seq'), 0) - mnemo.setting('event_keep_count')
       and not exists (
           select from mnemo.subscription s
           join mnemo.event_cursor c on c.subscription = s.id
           -- Most cursors are past the slot as a whole, which one comparison tells.
           where v_newest.xid >= pg_snapshot_xmin(c.done)
             and exists (select from mnemo.undelivered_events(c, s.topics) u where u.slot = p_slot));
end
$$;
