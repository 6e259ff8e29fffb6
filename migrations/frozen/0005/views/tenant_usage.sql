-- What tenants hold of what they may. A tenant sees its own row, an operator all; without a quota nothing is counted, and
-- without a residency a tenant's data may be in any object store.
create or replace view mnemo.tenant_usage as
select coalesce(q.tenant, r.tenant) as tenant,
       q.memories_used as memories, q.memories as memories_limit,
       q.bytes_used as bytes, q.bytes as bytes_limit,
       q.writes_per_minute,
       case when q.writes_per_minute is not null then
           q.writes_per_minute - ceil(extract(epoch from greatest(least(q.writes_full_at, mnemo.now() + interval '1 minute'), mnemo.now()) - mnemo.now())
                                      * q.writes_per_minute / 60 - 0.001)::integer
       end as writes_left,
       q.set_at, r.stores, coalesce(r.held, false) as held
from mnemo.quota q
full join mnemo.residency r on r.tenant = q.tenant;

comment on view mnemo.tenant_usage is 'Quotas of tenants and what is used of them, and the object stores that may hold their data.';
comment on column mnemo.tenant_usage.held is 'Its memories are neither archived nor copied: the store in use must not hold them.';
