-- Every memory of this tenant with its tier and strength, and a way to write for any SQL tool: INSERT, UPDATE of
-- what mnemo.write_through allows, DELETE.
create or replace view mnemo.memories as
select m.id, m.key, m.collection, m.context, m.session, m.occurred_at, m.content, m.attributes, m.hdv,
       a.tier, a.pinned, mnemo.strength_at(a.ltp, a.ltp_at, mnemo.now(), (select mnemo.half_life())) as strength,
       a.access_count, a.last_access, m.created_at
from mnemo.memory m
join mnemo.activity a on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment
where m.tenant = (select mnemo.tenant());

comment on view mnemo.memories is 'Memories of this tenant; INSERT, UPDATE of attributes, tier and pinned, and DELETE work.';

create or replace trigger write_through
    instead of insert or update or delete on mnemo.memories
    for each row execute function mnemo.write_through();
