-- Numbers of the parked events of a lane whose turn it is, in order: of each context that is due, the first and
-- those behind it. One on which a consumer died comes without any other. One whose place in the log the cursor has not
-- passed yet waits for that: done before, it would come from the log once more.
create or replace function mnemo.due_parked(p_subscription integer, p_lane smallint, p_most integer, out seqs bigint[], out alone boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with parked as (
        select r.seq, r.place, first_value(r.alone) over of_context as head_alone, first_value(r.not_before) over of_context as head_due,
               row_number() over of_context as nth, bool_or(k.upto is not null and r.seq > k.seq) over of_context as is_ahead
        from mnemo.event_retry r
        join mnemo.event_cursor k using (subscription, lane)
        where r.subscription = p_subscription and r.lane = p_lane
        window of_context as (partition by r.tenant, r.context, case when r.context is null then r.seq end order by r.place)
    ), due as (
        select p.* from parked p where not p.is_ahead and (p.head_due is null or p.head_due <= mnemo.now())
    ), chosen as (
        (select d.* from due d where d.head_alone and d.nth = 1 order by d.place limit 1)
        union all
        (select d.* from due d where not exists (select from due a where a.head_alone) order by d.place limit p_most)
    )
    select coalesce(array_agg(c.seq order by c.place), '{}'), coalesce(bool_or(c.head_alone), false) from chosen c
$$;
