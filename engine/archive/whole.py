"""Whole archived segments: downloaded, verified, read row by row."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from psycopg.rows import class_row

from engine.archive.format import Manifest, SegmentReader, check_collections, read_manifest, require_bits
from engine.archive.session import ArchiveSession
from engine.errors import ArchiveConflict, ObjectCorrupted, UnknownName
from engine.hypervector import Hypervectors

_OBJECTS = (
    "select r.segment, r.attempt, r.rows, h.key as hdv_key, h.sha256 as hdv_sha256, o.key as rows_key,"
    " o.sha256 as rows_sha256, m.key as manifest_key, m.sha256 as manifest_sha256, r.collections"
    " from mnemo.archive r join mnemo.object h on h.key = r.hdv_key join mnemo.object o on o.key = r.rows_key"
    " join mnemo.object m on m.key = r.manifest_key where r.segment = %s"
)
_COLLECTIONS = "select c.name, to_jsonb(c) from mnemo.collection c"


@dataclass(frozen=True, slots=True)
class Objects:
    """What a whole segment is read from; SHA-256 in 32 bytes, `collections` as in its manifest."""

    segment: int
    attempt: UUID
    rows: int
    hdv_key: str
    hdv_sha256: bytes
    rows_key: str
    rows_sha256: bytes
    manifest_key: str
    manifest_sha256: bytes
    collections: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """The files of a segment, here and verified."""

    objects: Objects
    manifest: Manifest
    hdv: Path
    table: Path

    def batches(self) -> Iterator[tuple[list[dict[str, Any]], Hypervectors]]:
        """Yield the rows in order, with their hypervectors uint8[n, D/8]."""
        return SegmentReader(self.manifest).batches(self.hdv, self.table)


# Gives the files of a segment for the time of a context: `downloaded`, or what does better with damaged ones.
Source = Callable[[ArchiveSession, Objects], AbstractAsyncContextManager[Whole]]


async def objects_of(session: ArchiveSession, segment: int) -> Objects:
    """Return what a segment is read from; UnknownName where it is no archived one."""
    async with (
        session.transaction() as connection,
        connection.cursor(row_factory=class_row(Objects)) as cursor,
    ):
        await cursor.execute(_OBJECTS, (segment,))
        found = await cursor.fetchone()
    if found is None:
        raise UnknownName(f"there is no archived segment {segment}")
    return found


async def manifest_of(session: ArchiveSession, objects: Objects, bits: int) -> Manifest:
    """Read the manifest of a segment.

    Raises:
        ObjectCorrupted: it is not what was written, read twice.
        ArchiveConflict: of another version of the format.
        InstallationMismatch: its hypervectors are of other bits than `bits`.
    """
    for _ in range(2):
        data = await session.store.get(objects.manifest_key)
        if sha256(data).digest() == objects.manifest_sha256:
            manifest = read_manifest(objects.manifest_key, data)
            require_bits(objects.manifest_key, manifest, bits)
            return manifest
    raise ObjectCorrupted(_differs(session, objects.manifest_key))


async def require_encoding(
    session: ArchiveSession, segment: int, collections: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise ArchiveConflict where the collections of a segment were encoded otherwise than they are now.

    Brought back, such memories would be compared with others that mean something else by the same bits.
    """
    async with session.transaction() as connection:
        current = dict(await (await connection.execute(_COLLECTIONS)).fetchall())
    # Nothing but its collections is looked at, and the database knows them.
    described = cast(Manifest, SimpleNamespace(collections=collections))
    differences = check_collections(described, current)
    if differences:
        raise ArchiveConflict(f"archived segment {segment} was encoded otherwise: {'; '.join(differences)}")


@asynccontextmanager
async def downloaded(session: ArchiveSession, objects: Objects) -> AsyncIterator[Whole]:
    """Yield the files of a segment, in a folder that is removed afterwards.

    Raises as `manifest_of`, and ObjectMissing; ObjectCorrupted names the object.
    """
    async with session.transaction() as connection:
        row = await (await connection.execute("select mnemo.bits()")).fetchone()
    assert row is not None
    manifest = await manifest_of(session, objects, row[0])
    with TemporaryDirectory(prefix="mnemo-archive-") as name:
        whole = Whole(objects, manifest, Path(name, "hdv.npy"), Path(name, "rows.parquet"))
        await asyncio.gather(
            _download(session, objects.hdv_key, objects.hdv_sha256, whole.hdv),
            _download(session, objects.rows_key, objects.rows_sha256, whole.table),
        )
        yield whole


async def _download(session: ArchiveSession, key: str, expected: bytes, target: Path) -> None:
    for _ in range(2):
        if await session.store.download(key, target) == expected:
            return
    raise ObjectCorrupted(_differs(session, key))


def _differs(session: ArchiveSession, key: str) -> str:
    return f"{key} in {session.store.url} is not what was written: its SHA-256 differs"
