"""What must hold of every database, whatever was done to it."""

from typing import Any

import psycopg

# Each query returns what breaks its invariant.
_VIOLATIONS = {
    "every chain of the audit verifies": (
        "select h.tenant, p.seq, p.problem from mnemo.audit_head h"
        " cross join lateral mnemo.verify_audit(h.tenant) p"
    ),
    "a memory has one row": "select id from mnemo.memory group by id having count(*) <> 1",
    "a memory has an activity row that names its segment": (
        "select m.id from mnemo.memory m left join mnemo.activity a"
        " on a.bucket = m.bucket and a.id = m.id and a.segment = m.segment and a.tenant = m.tenant"
        " where a.id is null"
    ),
    "an activity row says whose memory it is": (
        "select m.id from mnemo.memory m join mnemo.activity a on a.bucket = m.bucket and a.id = m.id"
        " where (a.tenant, a.collection) is distinct from (m.tenant, m.collection)"
    ),
    "a pinned memory is never due, and never expires": (
        "select id from mnemo.activity where pinned and coalesce(due_at, expires_at) is not null"
    ),
    # Strength is single precision: an access may lose its last bit, which is less than a second.
    "no scan comes too late for a memory that is to move": (
        "select a.id from mnemo.activity a"
        " cross join (select value * interval '1 day' as half_life from mnemo.setting"
        "  where name = 'half_life_days') as h"
        " cross join lateral (select p.rule, p.after, p.minimum_stay,"
        "  coalesce(p.threshold, t.leaves_below) as threshold"
        "  from mnemo.policy p join mnemo.tier t using (tier) where p.kind = 'tier' and p.enabled"
        "  and p.tier = a.tier and coalesce(p.collection, a.collection) = a.collection"
        "  order by p.collection is null limit 1) as r"
        " where not a.pinned and not exists (select from mnemo.stale_deadline)"
        " and coalesce(a.due_at, 'infinity') - interval '1 second'"
        "  > greatest(a.entered_tier_at + r.minimum_stay, case r.rule"
        "   when 'idle' then greatest(a.last_access, a.entered_tier_at) + r.after"
        "   else a.ltp_at + h.half_life * log(2, greatest(a.ltp / r.threshold, 1)::numeric)::float8 end)"
    ),
    "promotion looks at memories that are there": (
        "select c.id from mnemo.accessed c left join mnemo.activity a on a.bucket = c.bucket and a.id = c.id"
        " where a.id is null"
    ),
    "a hypervector waits for the move of a memory that is there": (
        "select p.id from mnemo.pending_hypervector p left join mnemo.memory m"
        " on m.bucket = p.bucket and m.id = p.id where m.id is null"
    ),
    "an activity row has its memory": (
        "select a.id from mnemo.activity a left join mnemo.memory m"
        " on m.bucket = a.bucket and m.id = a.id and m.segment = a.segment where m.id is null"
    ),
    "the tier is that of the segment": (
        "select a.id from mnemo.activity a left join mnemo.segment s"
        " on s.segment = a.segment and s.tier = a.tier where s.segment is null"
    ),
    "a key belongs to the memory that carries it": (
        "select coalesce(k.id, m.id) from mnemo.memory_key k full join"
        " (select tenant, collection, key, bucket, id from mnemo.memory where key is not null union all"
        " select tenant, collection, key, bucket, id from mnemo.archived_memory where key is not null) m"
        " using (tenant, collection, key) where k.id is distinct from m.id"
        " or k.bucket is distinct from m.bucket"
    ),
    "a vault item has all its chunks, and they take what it says": (
        "select i.id from mnemo.vault_item i left join mnemo.vault_chunk c"
        " on (c.tenant, c.item) = (i.tenant, i.id) group by i.tenant, i.id"
        " having (count(c), max(c.position), sum(octet_length(c.body))"
        " + mnemo.label_bytes(i.name, i.metadata))"
        " is distinct from (i.chunks::bigint, i.chunks - 1, i.stored_bytes)"
    ),
    "a vault item that a client sealed has a data key, and no other has": (
        "select coalesce(i.id, d.id) from (select * from mnemo.vault_item where scheme = 'client') i"
        " full join (select * from mnemo.data_key where purpose = 'item') d"
        " on (d.tenant, d.id) = (i.tenant, i.id) where i.id is null or d.id is null"
    ),
    "no data key lies under an epoch that is being destroyed": (
        "select d.id from mnemo.data_key d left join mnemo.vault_key k using (tenant, epoch)"
        " where coalesce(k.state, 'none') not in ('active', 'retired')"
    ),
    "a finished shredding has its keys destroyed": (
        "select s.id from mnemo.shredding s join mnemo.vault_key k"
        " on k.tenant = s.tenant and k.epoch = any (s.epochs)"
        " where s.finished_at is not null and k.state <> 'destroyed'"
    ),
    "each segment has its partition, and no table is left over": (
        "select coalesce(s.relation, c.relname) from mnemo.segment s full join"
        " (select c.relname, i.inhparent from pg_class c left join pg_inherits i on i.inhrelid = c.oid"
        " where c.relnamespace = 'mnemo'::regnamespace and c.relkind = 'r'"
        " and c.relname ~ '^(memory_(hot|warm|cold)|archived_[0-9])') c"
        " on c.relname = s.relation where s.segment is null or c.inhparent is distinct from"
        " case s.tier when 'archive' then 'mnemo.archived_memory' else 'mnemo.memory' end::regclass"
    ),
}


def check_invariants(connection: psycopg.Connection[Any]) -> None:
    """Fail, naming the invariant and up to five culprits, where one does not hold."""
    for invariant, query in _VIOLATIONS.items():
        culprits = connection.execute(f"{query} limit 5".encode()).fetchall()
        assert not culprits, f"not so: {invariant}: {culprits}"
