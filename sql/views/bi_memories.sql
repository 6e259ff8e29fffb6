-- A fact row a memory of this tenant, for BI tools: plain types only, no text of the memory and no hypervector.
-- The functions that it calls run with the rights of the reader: they read no table.
create or replace view mnemo.bi_memories as
select m.id::text as memory_id, m.tenant, m.collection, m.context, m.session, m.key as memory_key, m.tier,
       s.strength,
       case when s.strength >= hot.leaves_below then 'strong' when s.strength >= warm.leaves_below then 'fading' else 'weak' end
           as strength_class,
       m.pinned, m.access_count, m.last_access as last_access_at, m.occurred_at, m.created_at,
       (m.created_at at time zone 'UTC')::date as created_day,
       m.content_bytes,
       (extract(epoch from t.now - m.created_at) / 86400)::double precision as age_days,
       (extract(epoch from t.now - coalesce(m.last_access, m.created_at)) / 86400)::double precision as idle_days,
       case when not m.pinned then (extract(epoch from m.leaves_tier_at - t.now) / 86400)::double precision end as leaves_tier_in_days,
       case when not m.pinned then (extract(epoch from m.expires_at - t.now) / 86400)::double precision end as expires_in_days
from (
    select m.id, m.tenant, m.collection, m.context, m.session, m.key, m.occurred_at, m.created_at, octet_length(m.content) as content_bytes,
           a.tier, a.ltp, a.ltp_at, a.pinned, a.access_count, a.last_access, a.leaves_tier_at, a.expires_at
    from mnemo.memory m
    join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment
    union all
    select r.id, r.tenant, r.collection, r.context, r.session, r.key, r.occurred_at, r.created_at, null,
           'archive', r.ltp, r.ltp_at, false, r.access_count, r.last_access, null, r.expires_at
    from mnemo.archived_memory r
) as m
-- Asked once and not for each row, which offset is for.
cross join (
    select mnemo.now() as now, make_interval(secs => value * 86400) as half_life from mnemo.setting where name = 'half_life_days' offset 0
) as t
join mnemo.tier hot on hot.tier = 'hot'
join mnemo.tier warm on warm.tier = 'warm'
cross join lateral (select mnemo.strength_at(m.ltp, m.ltp_at, t.now, t.half_life) as strength offset 0) as s
where m.tenant = (select mnemo.tenant());

comment on view mnemo.bi_memories is 'For BI tools: one row a memory of this tenant, without its text.';
comment on column mnemo.bi_memories.memory_id is 'Id of the memory.';
comment on column mnemo.bi_memories.tenant is 'Whose memory it is.';
comment on column mnemo.bi_memories.collection is 'The named set that it belongs to.';
comment on column mnemo.bi_memories.context is 'What belongs together: a conversation, a task; null: none.';
comment on column mnemo.bi_memories.session is 'Part of the context; null: none.';
comment on column mnemo.bi_memories.memory_key is 'The user''s key; null: none.';
comment on column mnemo.bi_memories.tier is 'Where it is now: hot, warm, cold or archive (mnemo.bi_tiers).';
comment on column mnemo.bi_memories.strength is 'Strength now, 0 to 1.';
comment on column mnemo.bi_memories.strength_class is 'strong: at least the threshold of the hot tier; fading: at least that of the warm tier; weak: below.';
comment on column mnemo.bi_memories.pinned is 'Whether it stays where it is.';
comment on column mnemo.bi_memories.access_count is 'Times that it was recalled or reinforced.';
comment on column mnemo.bi_memories.last_access_at is 'The last of those times; null: never.';
comment on column mnemo.bi_memories.occurred_at is 'When what is remembered happened.';
comment on column mnemo.bi_memories.created_at is 'When it was written first.';
comment on column mnemo.bi_memories.created_day is 'The day (UTC) it was written first (mnemo.bi_days).';
comment on column mnemo.bi_memories.content_bytes is 'Length of its text in bytes of UTF-8; null: archived.';
comment on column mnemo.bi_memories.age_days is 'Days since it was written first.';
comment on column mnemo.bi_memories.idle_days is 'Days since its last access, or its writing.';
comment on column mnemo.bi_memories.leaves_tier_in_days is 'Days until a policy moves it, if nobody uses it; negative: due; null: never.';
comment on column mnemo.bi_memories.expires_in_days is 'Days until a policy forgets it; negative: due; null: never.';
