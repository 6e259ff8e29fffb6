-- What the archive changes in the tables of earlier revisions. Its own are tables of their own.
create or replace function mnemo.tier_of_segment(p_segment integer) returns text
language sql immutable parallel safe
as $$
    select case when p_segment = 0 then 'hot' when p_segment < 2 then 'warm' when p_segment <= 1000000 then 'cold' else 'archive' end
$$;

insert into mnemo.tier (tier, place, leaves_below) values ('archive', 3, null);

alter table mnemo.segment
    drop constraint segment_state_check,
    add constraint segment_state_check
        check (state in ('open', 'sealed', 'exporting', 'archived', 'compacting', 'restoring', 'emptied')),
    add column sealed_at timestamptz,
    add column attempt uuid,
    add column worker text,
    add column lease_until timestamptz,
    add column failures integer not null default 0,
    add column error text,
    add constraint segment_attempt check ((state in ('exporting', 'compacting', 'restoring')) = (attempt is not null)),
    add constraint segment_lease check ((attempt is null) = (lease_until is null));
comment on table mnemo.segment is 'The partitions of mnemo.memory and of mnemo.archived_memory, and what is being done to them.';
comment on column mnemo.segment.state is 'open: takes new rows, one of each tier; sealed: takes none; exporting: on its way to object storage; archived: there; compacting, restoring: read from there; emptied: dropped once no snapshot needs it.';
comment on column mnemo.segment.sealed_at is 'Since when it takes no new rows; null: it does.';
comment on column mnemo.segment.attempt is 'What is under way, and the folder of the objects that it writes; whoever goes on with it writes into the same.';
comment on column mnemo.segment.worker is 'Who is, or was last, at it.';
comment on column mnemo.segment.lease_until is 'By the real clock: until then nobody else goes on with it.';
comment on column mnemo.segment.failures is 'Attempts in a row that failed; each next one waits twice as long.';
comment on column mnemo.segment.error is 'Why the last one failed.';
update mnemo.segment s set sealed_at = s.created_at where s.state <> 'open';

comment on column mnemo.move_log.segment is 'The partition it went into; above 1,000,000 an archived segment.';
comment on column mnemo.move_log.reason is 'decay, idle, capacity, accesses, strength, predicted, rewritten (its key was used again), restored, or called.';

alter type mnemo.hit add attribute estimated boolean;

-- They take more arguments, or return more.
drop function mnemo.nearest(bit varying, integer, integer, text, text, jsonb, boolean);
drop function mnemo.read_candidates(mnemo.candidate[]);
drop function mnemo.rank_text(bit varying, text, real[], integer, text, text, jsonb, boolean, boolean);
drop function mnemo.search(bit varying, integer, text, text, jsonb, boolean);
drop function mnemo.recall(bit varying, integer, text, text, jsonb, boolean);
drop function mnemo.search_text(text, integer, text, text, jsonb, boolean, real[], jsonb, bit varying);
drop function mnemo.recall_text(text, integer, text, text, jsonb, boolean, real[], jsonb, bit varying);
drop function mnemo.lock_patiently(text, interval, double precision);

alter table mnemo.policy
    drop constraint policy_rule,
    add constraint policy_rule check (case kind
        when 'tier' then rule in ('ltp', 'idle') and (rule = 'idle') = (after is not null)
        when 'promotion' then rule in ('ltp', 'accesses') and (rule = 'accesses') = (accesses is not null)
        when 'eviction' then rule in ('lru', 'lfu', 'fifo', 'ltp') and coalesce(capacity_rows, capacity_bytes) is not null
        when 'ttl' then rule = 'age' and after is not null
        when 'archive' then rule = 'idle' and after is not null
        when 'copy' then rule = 'age' and after is not null
        else false
    end),
    drop constraint policy_tiers,
    add constraint policy_tiers check (coalesce(case kind
        when 'tier' then (tier, to_tier) in (('hot', 'warm'), ('hot', 'cold'), ('warm', 'cold'))
        when 'promotion' then (tier, to_tier) in (('warm', 'hot'), ('cold', 'hot'), ('cold', 'warm'))
        when 'eviction' then (tier, to_tier) in (('hot', 'warm'), ('hot', 'cold'), ('warm', 'cold'))
        when 'ttl' then to_tier is null
        when 'archive' then tier = 'cold' and to_tier is null and collection is null
        when 'copy' then tier is null and to_tier is null and collection is null
        else true
    end, false));
comment on column mnemo.policy.tier is 'The tier whose memories it looks at; null (ttl, copy): every tier.';
comment on column mnemo.policy.after is 'How long unused (tier, archive), how old (ttl), or how old at most uncopied (copy).';
