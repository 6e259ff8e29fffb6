-- Where new rows of each tier go: the newest open segment.
create or replace view mnemo.open_segment as
select distinct on (t.tier) t.tier, s.segment, s.relation, t.leaves_below
from mnemo.tier t
join mnemo.segment s on s.tier = t.tier and s.state = 'open'
order by t.tier, s.segment desc;

comment on view mnemo.open_segment is 'The segment that takes new rows of each tier.';
