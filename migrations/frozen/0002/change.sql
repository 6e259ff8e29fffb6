-- What the lifecycle changes in the tables of 0001. Its own tables are in schema/, and run after this.
create or replace function mnemo.tier_of_segment(p_segment integer) returns text
language sql immutable parallel safe
as $$
    select case when p_segment = 0 then 'hot' when p_segment < 2 then 'warm' else 'cold' end
$$;

alter table mnemo.activity
    add column collection text,
    add column tier_accesses integer not null default 0,
    add column expires_at timestamptz,
    drop constraint activity_tier_of_segment,
    add constraint activity_tier_of_segment check (tier = mnemo.tier_of_segment(segment));

update mnemo.activity a set collection = m.collection
from mnemo.memory m
where m.segment = a.segment and m.bucket = a.bucket and m.id = a.id;

-- Pinned memories are out of sight of every scan from here on.
update mnemo.activity set due_at = null where pinned;

alter table mnemo.activity alter column collection set not null;

create index activity_expires on mnemo.activity (expires_at) where expires_at is not null;

comment on column mnemo.activity.leaves_tier_at is 'When the tier policy that applies first moves the memory, if nobody uses it again; null: never.';
comment on column mnemo.activity.due_at is 'No demotion scan need look before; a lower bound, rewritten only when a scan meets it too early. Null: never, or pinned.';
comment on column mnemo.activity.tier_accesses is 'Accesses since the memory entered its tier.';
comment on column mnemo.activity.expires_at is 'When a ttl policy forgets the memory; null: never, or pinned.';

comment on table mnemo.memory is 'What is remembered, partitioned by segment: 0 hot, 1 and below 0 warm, from 2 on cold.';
do $$
declare
    v_relation text;
begin
    for v_relation in select 'memory' union all select s.relation from mnemo.segment s loop
        execute format('comment on column mnemo.%I.segment is %L', v_relation, '0 hot, 1 and below 0 warm, 2 and above a cold segment.');
    end loop;
end
$$;

alter table mnemo.access_log
    add column tenant text not null default 'default',
    add column context text;

alter table mnemo.segment
    add column announced_at timestamptz,
    drop constraint segment_state_check,
    add constraint segment_state_check check (state in ('open', 'sealed', 'emptied'));
comment on column mnemo.segment.announced_at is 'When mnemo.archive_step last announced that nobody uses it; null: never.';

comment on table mnemo.segment is 'The partitions of mnemo.memory. A tier has one open segment, which takes new rows; those that a consolidation built are sealed; emptied, that a merge has emptied.';

-- They return one column more.
drop function mnemo.recall_text(text, integer, text, text, jsonb, boolean);
drop function mnemo.recall(bit varying, integer, text, text, jsonb, boolean);
drop function mnemo.search(bit varying, integer, text, text, jsonb, boolean);
-- They take one argument more.
drop function mnemo.move_memories(uuid[], text);
drop function mnemo.attach_partition(text, integer, text);
drop function mnemo.doctor_cold_partitions();
