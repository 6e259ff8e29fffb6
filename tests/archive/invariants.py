"""What must hold of the archive and its objects, whatever was done, and whoever died in the middle of it."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from engine.archive import ObjectStore
from tests.support.invariants import check_invariants

Connection = psycopg.Connection[tuple[Any, ...]]

# Each query returns what breaks its invariant.
_VIOLATIONS = {
    "an archived memory has one row": "select id from mnemo.archived_memory group by id having count(*) <> 1",
    "an archived memory is nowhere else": (
        "select a.id from mnemo.archived_memory a where exists (select from mnemo.memory m where m.id = a.id)"
        " or exists (select from mnemo.activity t where t.id = a.id)"
    ),
    "each row of the objects is a memory or a tombstone, once": (
        "select r.segment, n from mnemo.archive r cross join generate_series(0, r.rows - 1) n left join"
        " (select segment, row_number, true as is_there from mnemo.archived_memory union all"
        " select segment, row_number, true from mnemo.tombstone) x"
        " on (x.segment, x.row_number) = (r.segment, n)"
        " group by r.segment, n having count(x.is_there) <> 1"
    ),
    "no archived memory or tombstone is beyond the rows of its objects": (
        "select segment, x.row_number from (select segment, row_number from mnemo.archived_memory union all"
        " select segment, row_number from mnemo.tombstone) x left join mnemo.archive r using (segment)"
        " where r.segment is null or x.row_number not between 0 and r.rows - 1"
    ),
    "an archived segment has its objects": (
        "select s.segment from mnemo.segment s full join mnemo.archive r using (segment)"
        " where (s.tier = 'archive' and s.state <> 'emptied') is distinct from (r.segment is not null)"
    ),
    "what is referenced was verified": (
        "select r.segment, k.key from mnemo.archive r"
        " cross join unnest(array[r.hdv_key, r.rows_key, r.manifest_key]) as k (key)"
        " left join mnemo.object o using (key) where o.state is distinct from 'stored'"
    ),
    "a segment's object is referenced, on its way, or on its way out": (
        "select o.key, o.state from mnemo.object o where o.key like '%/segments/%'"
        " and o.state in ('writing', 'stored')"
        " and not exists (select from mnemo.archive r where o.key in (r.hdv_key, r.rows_key, r.manifest_key))"
        " and not exists (select from mnemo.segment s where s.attempt = o.attempt)"
    ),
    "a copy's object is referenced, on its way, or on its way out": (
        "select o.key, o.state from mnemo.object o where o.key like '%/copies/%'"
        " and o.state in ('writing', 'stored')"
        " and not exists (select from mnemo.copy c where o.key in (c.hdv_key, c.rows_key, c.manifest_key))"
        " and not exists (select from mnemo.copy_attempt c where c.attempt = o.attempt)"
    ),
    "a set of copies was verified": (
        "select c.number, k.key from mnemo.copy c"
        " cross join unnest(array[c.hdv_key, c.rows_key, c.manifest_key]) as k (key)"
        " left join mnemo.object o using (key) where o.state is distinct from 'stored'"
    ),
    "only archived memories were used in the archive, or are to come back": (
        "select x.id from (select id from mnemo.archived_access union select id from mnemo.restore_request) x"
        " where not exists (select from mnemo.archived_memory a where a.id = x.id)"
    ),
}
_COLUMNS = ("tenant", "collection", "key", "context", "session", "occurred_at", "created_at")
_IN_TIERS: LiteralString = (
    "select m.id, a.tier, m.content, m.attributes, m.hdv::text, m.tenant, m.collection, m.key, m.context,"
    " m.session, extract(epoch from m.occurred_at), extract(epoch from m.created_at)"
    " from mnemo.memory m join mnemo.activity a using (bucket, id, segment)"
)
_IN_ARCHIVE: LiteralString = (
    "select r.hdv_key, r.rows_key, a.row_number, a.id, a.attributes, a.sketch::text, a.tenant, a.collection,"
    " a.key, a.context, a.session, extract(epoch from a.occurred_at), extract(epoch from a.created_at)"
    " from mnemo.archived_memory a join mnemo.archive r using (segment)"
)


@dataclass(frozen=True)
class Found:
    """A memory as it can be read: in a tier, or in the objects that its archived row names."""

    place: str
    content: str
    hdv: bytes
    attributes: Mapping[str, Any]
    tenant: str
    collection: str
    key: str | None
    context: str | None
    session: str | None
    occurred_at: int
    """Microseconds since 1970; 2**63 - 1 and its negative are infinity."""
    created_at: int


async def check(connection: Connection, store: ObjectStore) -> dict[UUID, Found]:
    """Fail, naming what does not hold; return every memory of all tenants, read with NumPy and Arrow.

    The caller compares them with what was written: each exactly once, with its original bytes.
    """
    check_invariants(connection)
    for invariant, query in _VIOLATIONS.items():
        culprits = connection.execute(f"{query} limit 5".encode()).fetchall()
        assert not culprits, f"not so: {invariant}: {culprits}"
    await _check_objects(connection, store)
    return await everything(connection, store)


async def everything(connection: Connection, store: ObjectStore) -> dict[UUID, Found]:
    """Return every memory of all tenants by id; fail where one is there twice, or differs from its row."""
    found: dict[UUID, Found] = {}
    for memory_id, tier, content, attributes, hdv, *rest in connection.execute(_IN_TIERS):
        assert memory_id not in found
        found[memory_id] = Found(tier, content, _packed(hdv), attributes, *_whole(rest))
    objects: dict[str, Any] = {}
    for hdv_key, rows_key, row, memory_id, attributes, sketch, *rest in connection.execute(_IN_ARCHIVE):
        if hdv_key not in objects:
            objects[hdv_key] = np.load(io.BytesIO(await store.get(hdv_key)))
            table = pq.read_table(pa.BufferReader(await store.get(rows_key)))
            for name in ("occurred_at", "created_at"):
                place = table.schema.get_field_index(name)
                table = table.set_column(place, name, table.column(name).cast(pa.int64()))
            objects[rows_key] = table.select([*_COLUMNS, "row_number", "id", "content"]).to_pylist()
            assert len(objects[hdv_key]) == table.num_rows
        hdv, written = objects[hdv_key][row].tobytes(), objects[rows_key][row]
        assert memory_id not in found
        assert _uuid(written["id"]) == memory_id
        assert written["row_number"] == row
        assert hdv.startswith(_packed(sketch)), f"the sketch of {memory_id} is not that of its hypervector"
        # Attributes may have changed since; nothing else may.
        assert [written[c] for c in _COLUMNS] == _whole(rest)
        found[memory_id] = Found("archive", written["content"], hdv, attributes, *_whole(rest))
    return found


async def _check_objects(connection: Connection, store: ObjectStore) -> None:
    """No object is referenced and missing or wrong, and none is there that the database does not know."""
    known = {
        key: (state, size, bytes(digest))
        for key, state, size, digest in connection.execute(
            "select o.key, o.state, o.bytes, o.sha256 from mnemo.object o"
        )
    }
    for key, (state, size, digest) in known.items():
        if state == "stored":
            content = await store.get(key)
            assert len(content) == size, f"{key} has {len(content)} bytes, not {size}"
            assert hashlib.sha256(content).digest() == digest, f"{key} is not what was written"
    row = connection.execute("select i.database from mnemo.identity i where i.is_current").fetchone()
    if row is not None:
        there = [info.key async for info in store.list(f"{row[0]}/")]
        own = {f"{row[0]}/owner.json"}
        orphans = [k for k in there if k not in known and k not in own and f"{row[0]}/holds/" not in k]
        assert not orphans, f"objects that nobody knows of: {orphans}"


def _whole(values: list[Any]) -> list[Any]:
    """Seconds to microseconds, as the objects have them."""
    return [_microseconds(v) if isinstance(v, Decimal) else v for v in values]


def _microseconds(seconds: Decimal) -> int:
    if seconds.is_infinite():
        return 2**63 - 1 if seconds > 0 else 1 - 2**63
    return int(seconds * 1_000_000)


def _packed(bits: str) -> bytes:
    return np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tobytes()


def _uuid(value: Any) -> UUID:
    return (
        value if isinstance(value, UUID) else UUID(bytes=value) if isinstance(value, bytes) else UUID(value)
    )
