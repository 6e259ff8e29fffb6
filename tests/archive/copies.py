"""What the tests of copies share: a session on a directory, and the store read by other means."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from engine.archive import ObjectStore
from engine.archive.copying import copy_step
from engine.archive.session import ArchiveSession, open_archive
from engine.config import Settings
from engine.database.pool import make_pool

Connection = psycopg.Connection[tuple[Any, ...]]
_STORED: LiteralString = (
    "select m.id, mnemo.content_hash(m), m.hdv::text, a.tier, a.pinned, m.encoded::text, m.embedding"
    " from mnemo.memory m join mnemo.activity a using (bucket, id)"
)


@asynccontextmanager
async def session_on(
    dsn: str, folder: Path, worker: str = "tester", **archive: object
) -> AsyncIterator[ArchiveSession]:
    """Open a session of a database on a directory, or whatever `archive` says of the store."""
    settings = Settings(dsn=dsn, archive={"url": str(folder / "objects"), **archive})
    async with make_pool(dsn, settings) as pool, open_archive(pool, settings, worker=worker) as session:
        yield session


async def copy_all(session: ArchiveSession) -> int:
    """Copy until nothing is queued; return the number of steps."""
    steps = 0
    while await copy_step(session):
        steps += 1
        assert steps < 1000
    return steps


def memories(connection: Connection) -> dict[UUID, tuple[Any, ...]]:
    """Return what must come back of each memory of the tiers, by id."""
    return {row[0]: row[1:] for row in connection.execute(_STORED)}


async def manifests(store: ObjectStore, prefix: str = "") -> list[dict[str, Any]]:
    """Return the manifests of copies in the store, by number, read as JSON."""
    found = [
        json.loads(await store.get(info.key))
        async for info in store.list(prefix)
        if "/copies/" in info.key and info.key.endswith(".manifest.json")
    ]
    return sorted(found, key=lambda manifest: manifest["number"])


async def rows_of(store: ObjectStore, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a set, each with its hypervector where it has one, by Arrow and NumPy alone."""
    table = pq.read_table(pa.BufferReader(await store.get(manifest["objects"]["rows"]["key"])))
    vectors = np.load(io.BytesIO(await store.get(manifest["objects"]["hdv"]["key"])))
    rows: list[dict[str, Any]] = table.to_pylist()
    assert [row["row_number"] for row in rows] == list(range(len(rows)))
    for row in rows:
        row["hdv"] = vectors[row["row_number"]] if row["row_number"] < len(vectors) else None
    return rows
