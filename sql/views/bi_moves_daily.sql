-- Moves of this tenant's memories between tiers by day, for BI tools; as far back as mnemo.prune_step leaves them.
create or replace view mnemo.bi_moves_daily as
select (l.at at time zone 'UTC')::date as day, l.tenant, l.from_tier, l.to_tier, l.policy, l.reason,
       count(*) as moves, avg(l.strength::double precision) as mean_strength
from mnemo.move_log l
where l.tenant = (select mnemo.tenant())
group by 1, 2, 3, 4, 5, 6;

comment on view mnemo.bi_moves_daily is 'For BI tools: moves of this tenant''s memories by day, tiers and cause; kept for prune_after_days.';
comment on column mnemo.bi_moves_daily.day is 'The day (UTC) of the moves (mnemo.bi_days).';
comment on column mnemo.bi_moves_daily.tenant is 'Whose memories.';
comment on column mnemo.bi_moves_daily.from_tier is 'The tier they left (mnemo.bi_tiers).';
comment on column mnemo.bi_moves_daily.to_tier is 'The tier they entered (mnemo.bi_tiers).';
comment on column mnemo.bi_moves_daily.policy is 'The policy that moved them; null: somebody''s call.';
comment on column mnemo.bi_moves_daily.reason is 'decay, idle, capacity, accesses, strength, or called.';
comment on column mnemo.bi_moves_daily.moves is 'How many moves.';
comment on column mnemo.bi_moves_daily.mean_strength is 'Mean strength of the memories as they moved, 0 to 1.';
