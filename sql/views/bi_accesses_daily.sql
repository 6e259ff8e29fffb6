-- Accesses of this tenant's memories by day, for BI tools.
create or replace view mnemo.bi_accesses_daily as
select d.day, d.tenant, d.collection, d.tier, d.accesses
from mnemo.access_daily d
where d.tenant = (select mnemo.tenant());

comment on view mnemo.bi_accesses_daily is 'For BI tools: accesses of this tenant''s memories by day, collection and tier.';
comment on column mnemo.bi_accesses_daily.day is 'The day (UTC) on which they were counted (mnemo.bi_days).';
comment on column mnemo.bi_accesses_daily.tenant is 'Whose memories.';
comment on column mnemo.bi_accesses_daily.collection is 'The named set that they belong to.';
comment on column mnemo.bi_accesses_daily.tier is 'The tier that held them when they were counted (mnemo.bi_tiers).';
comment on column mnemo.bi_accesses_daily.accesses is 'Times that a memory was a hit of a recall.';
