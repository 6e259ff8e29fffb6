-- What no garbage collection may delete: the objects of archived segments and of durability copies.
create or replace view mnemo.referenced_object as
select k.key, r.segment
from mnemo.archive r
cross join lateral unnest(array[r.hdv_key, r.rows_key, r.manifest_key]) as k (key)
union all
select k.key, null
from mnemo.copy c
cross join lateral unnest(array[c.hdv_key, c.rows_key, c.manifest_key]) as k (key);

comment on view mnemo.referenced_object is 'Objects that archived memories are read from, and copies.';
comment on column mnemo.referenced_object.segment is 'The archived segment; null: copies.';
