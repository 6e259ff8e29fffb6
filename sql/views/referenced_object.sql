-- What no garbage collection may delete: the objects of archived segments.
create or replace view mnemo.referenced_object as
select k.key, r.segment
from mnemo.archive r
cross join lateral unnest(array[r.hdv_key, r.rows_key, r.manifest_key]) as k (key);

comment on view mnemo.referenced_object is 'Objects that archived memories are read from.';
comment on column mnemo.referenced_object.segment is 'The archived segment.';
