"""Writing memories from NumPy arrays, and the answers that a search must give, by brute force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.json import Jsonb

Vectors = NDArray[np.uint8]
Connection = psycopg.Connection[tuple[Any, ...]]

_TYPES = {
    "ordinal": "int4", "content": "text", "hdv": "varbit", "embedding": "bytea", "context": "text",
    "session": "text", "occurred_at": "timestamptz", "attributes": "jsonb", "key": "text",
    "collection": "text", "importance": "float8", "tier": "text", "pinned": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A memory to write; the hypervector is packed, uint8[bits / 8]."""

    content: str
    hdv: Vectors | None
    embedding: bytes | None = None
    context: str | None = None
    session: str | None = None
    occurred_at: datetime | None = None
    attributes: Any = None
    key: str | None = None
    collection: str = "memories"
    importance: float = 0.8
    tier: str = "hot"
    pinned: bool = False


class _BitDumper(Dumper):
    """Sends packed bits as binary varbit: a length in bits, then the bytes."""

    format = Format.BINARY
    oid = psycopg.adapters.types["varbit"].oid

    def dump(self, obj: Vectors) -> bytes:
        return (8 * obj.size).to_bytes(4, "big") + obj.tobytes()


def bit_text(vector: Vectors) -> str:
    """Return a vector as Postgres reads it: an x and hexadecimal digits."""
    return f"x{vector.tobytes().hex()}"


def stage(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Copy drafts into this session's staging table, in binary; needs a transaction."""
    connection.adapters.register_dumper(np.ndarray, _BitDumper)
    connection.execute("select mnemo.open_staging()")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy pg_temp.memory_staging ({', '.join(_TYPES)}) from stdin (format binary)") as copy,
    ):
        copy.set_types(list(_TYPES.values()))
        for ordinal, d in enumerate(drafts):
            attributes = None if d.attributes is None else Jsonb(d.attributes)
            copy.write_row((
                ordinal, d.content, d.hdv, d.embedding, d.context, d.session, d.occurred_at, attributes,
                d.key, d.collection, d.importance, d.tier, d.pinned,
            ))  # fmt: skip


def remember_all(connection: Connection, drafts: Sequence[Draft]) -> list[UUID]:
    """Write drafts in one transaction and return their ids in order."""
    with connection.transaction():
        stage(connection, drafts)
        row = connection.execute("select mnemo.remember_staged()").fetchone()
    assert row is not None
    ids: list[UUID] = row[0]
    return ids


def bulk_load(connection: Connection, drafts: Sequence[Draft], tier: str = "hot") -> list[UUID]:
    """Load an empty tier, rows first and indexes after, and return the ids in order."""
    with connection.transaction():
        stage(connection, drafts)
        row = connection.execute("select mnemo.remember_staged(mnemo.begin_bulk_load(%s))", [tier]).fetchone()
        connection.execute("select mnemo.finish_bulk_load(%s)", [tier])
    assert row is not None
    ids: list[UUID] = row[0]
    return ids


def brute_force(query: Vectors, vectors: Vectors, ids: Sequence[UUID], k: int) -> list[tuple[int, UUID]]:
    """Return the k nearest as (distance, id), nearest first, ties by id."""
    different = np.bitwise_count(vectors ^ query).sum(axis=1, dtype=np.int64)
    return sorted(zip(different.tolist(), ids, strict=True))[:k]


def clustered(
    rng: np.random.Generator, rows: int, bits: int, clusters: int, spread: tuple[float, float] = (0.05, 0.3)
) -> tuple[Vectors, NDArray[np.int64]]:
    """Draw uint8[rows, bits / 8] around random centres, each row flipping its own share of the bits.

    Returns the vectors and the cluster, int64[rows], of each. Neighbours then lie at many distances.
    """
    centres = rng.integers(0, 256, (clusters, bits // 8), np.uint8)
    of = rng.integers(0, clusters, rows)
    share = rng.uniform(*spread, rows)
    flips = np.packbits(rng.random((rows, bits), np.float32) < share[:, None], axis=1)
    return centres[of] ^ flips, of
