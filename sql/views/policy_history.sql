-- Every change of a policy, a row for each of its parameters that changed, with what was known of the tiers then.
create or replace view mnemo.policy_history as
select c.change, c.at, c.policy,
       case when c.before is null then 'added' when c.after is null then 'removed' else 'altered' end as action, d.parameter, d.old, d.new, c.reason, c.reverted_by is not null as reverted, c.reverted_by,
       t.at as sampled_at, t.hot_memories, t.warm_memories, t.cold_memories, t.hot_hit_rate
from mnemo.policy_change c
left join lateral (
    select coalesce(b.key, a.key) as parameter, b.value as old, a.value as new
    from jsonb_each_text(c.before) as b full join jsonb_each_text(c.after) as a on a.key = b.key
    -- One added or removed is told in one row, not by each of its columns.
    where c.before is not null and c.after is not null and b.value is distinct from a.value
) as d on true
left join lateral (
    select * from mnemo.telemetry s where s.at <= c.at order by s.at desc limit 1
) as t on true;

comment on view mnemo.policy_history is 'Changes of policies, why, and the tiers at that time; newest last by change. Undone with mnemo.revert_policy_change(change).';
comment on column mnemo.policy_history.change is 'Number of the change; several rows where several parameters changed.';
comment on column mnemo.policy_history.action is 'added, altered or removed.';
comment on column mnemo.policy_history.parameter is 'The column of mnemo.policy that changed; null: the policy was added or removed.';
comment on column mnemo.policy_history.old is 'Its value before, as text.';
comment on column mnemo.policy_history.new is 'Its value since, as text.';
comment on column mnemo.policy_history.reverted_by is 'The change that undid it.';
comment on column mnemo.policy_history.sampled_at is 'When the tiers were last sampled before; the columns after it are of that sample.';
comment on column mnemo.policy_history.hot_hit_rate is 'Share of the accesses since the sample before that hot answered.';
