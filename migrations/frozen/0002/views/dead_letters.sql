-- Events given up, for people to look at.
create or replace view mnemo.dead_letters as
select d.id, s.name as subscription, d.seq, d.topic, d.tenant, d.context, d.memory_id, d.payload, d.at, d.attempts, d.error, d.died_at
from mnemo.dead_letter d
join mnemo.subscription s on s.id = d.subscription;

comment on view mnemo.dead_letters is 'Events given up: mnemo.replay_dead_letters tries them again, mnemo.discard_dead_letters drops them.';
comment on column mnemo.dead_letters.error is 'Why the last attempt failed.';
