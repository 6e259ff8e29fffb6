-- Where memories stand in their sessions, in the order given: members of one session have one number in `sessions`, and their
-- `places` differ by how far apart they stand there (in order of occurred_at, then id), or by more than 6 where that is
-- more. A memory without a context or a session is alone.
create or replace function mnemo.session_places(
    p_collection text,
    p_ids        uuid[],
    p_contexts   text[],
    p_sessions   text[],
    p_moments    timestamptz[],
    out sessions integer[],
    out places   integer[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    c_far    constant integer := 6;
    v_tenant text := mnemo.tenant();
begin
    -- What stands between two that follow each other is counted, and never more than tells that they are far apart.
    select array_agg(coalesce(p.session, -g.at) order by g.at), array_agg(coalesce(p.place, 0) order by g.at)
    into sessions, places
    from generate_subscripts(p_ids, 1) as g (at)
    left join (
        select s.at, s.session, sum(s.step) over (partition by s.session order by s.moment, s.id) as place
        from (
            select o.*, case when o.id_before is null then 0 else 1 + (
                    select count(*) from (
                        select from mnemo.memory m
                        where m.tenant = v_tenant and m.collection = p_collection and m.context = o.context and m.session = o.of_session
                          and m.occurred_at between o.moment_before and o.moment
                          and (m.occurred_at, m.id) > (o.moment_before, o.id_before) and (m.occurred_at, m.id) < (o.moment, o.id)
                        limit c_far) as between_them)
                end as step
            from (
                select u.at, u.id, u.context, u.of_session, u.moment, dense_rank() over (order by u.context, u.of_session) as session,
                       lag(u.id) over w as id_before, lag(u.moment) over w as moment_before
                from unnest(p_ids, p_contexts, p_sessions, p_moments) with ordinality as u (id, context, of_session, moment, at)
                where u.context is not null and u.of_session is not null
                window w as (partition by u.context, u.of_session order by u.moment, u.id)
            ) as o
        ) as s
    ) as p on p.at = g.at;
end
$$;
