"""Export: a cold segment becomes objects, and only then an archived segment."""

import asyncio
import logging
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from sys import intern
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import numpy as np
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from engine.archive.attempts import Attempt, Upload, under_way
from engine.archive.format import INFINITY, SegmentWriter, WrittenFile, order_rows
from engine.archive.session import ArchiveSession
from engine.database.parameters import PackedBitsLoader
from engine.database.pool import Connection
from engine.errors import Conflict, LeaseLost
from engine.hypervector import Hypervectors

logger = logging.getLogger(__name__)

# Called with what is being done, how many rows are done, and of how many.
Progress = Callable[[str, int, int], None]

_BEGIN: LiteralString = "select s.segment, s.attempt from mnemo.begin_export(%s, %s) s"
_SKETCHES: LiteralString = (
    "select s.id, s.place::text, s.writer::text, s.sketch from mnemo.export_sketches(%s) s order by s.id"
)
_ROWS: LiteralString = (
    "select r.id, r.bucket, r.tenant, r.collection, r.key, r.context, r.session, r.occurred_at, r.created_at,"
    " r.content, r.attributes::text as attributes, r.encoded::text as encoded, r.strength, r.strength_at,"
    " r.last_access, r.access_count, r.expires_at, r.content_sha256, r.embedding, r.hdv"
    " from mnemo.export_rows(%s, %s) r"
)
_KNOWN: LiteralString = "select s.value::integer, mnemo.now() from mnemo.setting s where s.name = 'bits'"
_COLLECTIONS: LiteralString = (
    "select c.name, to_jsonb(c) - 'name' - 'created_at' from mnemo.collection c where c.name = any(%s)"
)
_STAGING: LiteralString = "select mnemo.open_exported()"
_COPY: LiteralString = "copy pg_temp.mnemo_exported from stdin"
_FINISH: LiteralString = (
    "select mnemo.finish_export(%s, row(null, null, null, null, %s, %s, %s, %s, %s, %s, %s, %s::bigint[],"
    " %s::bigint[], %s, %s, %s)::mnemo.archive)"
)
_BATCH_ROWS = 512
# Waits between attempts at the last step, while somebody else rebuilds a partition or reads the archive.
_PATIENCE_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did: rows written and verified, memories now in the archive, bytes of the objects.

    `archived` is below `rows` where memories were used or changed meanwhile; all are 0 where none was left
    to export, or another worker finished it.
    """

    segment: int
    rows: int
    archived: int
    object_bytes: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Memories archived a second, everything included."""
        return self.archived / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Archiving:
    """What a run has archived: segments and memories, bytes of the objects, seconds of the exports."""

    segments: int = 0
    memories: int = 0
    object_bytes: int = 0
    seconds: float = 0.0

    @property
    def rows_per_second(self) -> float:
        """Memories archived a second, everything included."""
        return self.memories / self.seconds if self.seconds else 0.0

    def plus(self, report: ExportReport) -> "Archiving":
        """Return this and one more export."""
        return Archiving(
            self.segments + (report.archived > 0),
            self.memories + report.archived,
            self.object_bytes + report.object_bytes,
            self.seconds + report.seconds,
        )


class _Version(NamedTuple):
    """Which version of a memory an object holds, as pg_temp.mnemo_exported has it."""

    bucket: int
    id: UUID
    tenant: str
    collection: str
    place: str
    writer: str


@dataclass(frozen=True, slots=True)
class _Files:
    """What is uploaded, the manifest last, and the fields of mnemo.archive from hdv_key on."""

    data: tuple[Upload, Upload]
    manifest: Upload
    archive: tuple[Any, ...]


class _Moments(Loader):
    """Reads timestamptz as microseconds since 1970: Python's calendar ends before that of the database."""

    format = Format.BINARY
    _OFFSET = 946_684_800_000_000

    def load(self, data: Buffer) -> int:
        """Return the time; INFINITY and its negative for what has none."""
        (value,) = struct.unpack("!q", bytes(data))
        return int(value) + self._OFFSET if -INFINITY <= value < INFINITY else max(int(value), -INFINITY)


async def export_step(
    session: ArchiveSession, segment: int | None = None, *, progress: Progress | None = None
) -> ExportReport | None:
    """Export one cold segment: the next that the archive policy names, or that one, whenever it was used.

    Its rows are read in one snapshot, ordered so that near neighbours share blocks, written to temporary
    files, uploaded, read back and verified; then one transaction puts the archived segment in the place of
    the memories that are still as they were read. Of a worker that died, the next goes on with the attempt,
    in the same folder, and reads everything again: rows may have changed. What is the same then is not
    uploaded twice; what is not referenced in the end is dropped with the last transaction.

    Returns None when there is nothing to do, or somebody else is at it.

    Raises:
        UnknownName: `segment` is no cold segment, or holds nothing that could be archived.
        ObjectCorrupted, StoreUnavailable, StoreRefused: the store; the attempt is noted as failed.
        Conflict: others kept rebuilding partitions or reading the archive.
    """
    began = time.perf_counter()
    async with session.transaction() as connection:
        row = await (await connection.execute(_BEGIN, (session.worker, segment))).fetchone()
    if row is None:
        return None
    number, attempt = row
    try:
        async with under_way(session, attempt) as held:
            rows, archived, size = await _export(session, held, number, progress or _silent)
    except LeaseLost:
        logger.info("the export of segment %d was finished or begun anew by another worker", number)
        rows = archived = size = 0
    report = ExportReport(number, rows, archived, size, time.perf_counter() - began)
    logger.info(
        "segment %d: %d of %d memories archived, %d bytes, %.0f rows/s",
        *(number, archived, rows, size, report.rows_per_second),
    )
    return report


async def _export(
    session: ArchiveSession, held: Attempt, segment: int, progress: Progress
) -> tuple[int, int, int]:
    """Return the rows written, the memories archived and the bytes of the objects."""
    with tempfile.TemporaryDirectory(prefix="mnemo-export-") as folder:
        written = await _write(session, held, segment, Path(folder), progress)
        if written is None:
            async with session.transaction() as connection:
                await connection.execute("select mnemo.abandon_export(%s)", (held.id,))
            return 0, 0, 0
        versions, files = written
        progress("uploading", 0, len(versions))
        await held.store(files.data)
        await held.store([files.manifest])
    progress("archiving", 0, len(versions))
    archived = await _finish(session, held, versions, files)
    progress("archiving", len(versions), len(versions))
    return len(versions), archived, sum(upload.size for upload in (*files.data, files.manifest))


async def _write(
    session: ArchiveSession, held: Attempt, segment: int, folder: Path, progress: Progress
) -> tuple[list[_Version], _Files] | None:
    """Write the files from one snapshot; None where nothing is to be exported."""
    async with session.transaction(snapshot=True) as connection:
        bits, created = await _only(connection, _KNOWN)
        places, leading = await _sketches(connection, segment)
        if not places:
            return None
        progress("ordering", 0, len(places))
        order = await asyncio.to_thread(order_rows, leading)
        del leading
        versions: list[_Version] = []
        with SegmentWriter(folder, bits) as writer:
            async for rows in _batches(connection, segment, [places[at][0] for at in order]):
                for row in rows:
                    memory_id, place, xid = places[order[len(versions)]]
                    assert row["id"] == memory_id
                    whose = intern(row["tenant"]), intern(row["collection"])
                    versions.append(_Version(row["bucket"], memory_id, *whose, place, xid))
                await asyncio.to_thread(writer.write, rows, np.stack([row["hdv"] for row in rows]))
                progress("reading", len(versions), len(places))
            written = await asyncio.to_thread(writer.finish)
        assert len(versions) == len(places)
        named = sorted({version.collection for version in versions})
        collections = dict(await (await connection.execute(_COLLECTIONS, (named,))).fetchall())
    hdv, table = _upload(held, written.hdv, "npy"), _upload(held, written.table, "parquet")
    content = written.manifest(
        hdv.key, table.key, database=session.database, created=created, collections=collections
    ).to_json()
    digest = sha256(content).digest()
    manifest = Upload(held.key("segments", digest, "manifest.json"), content, len(content), digest)
    layout = written.layout
    archive = (
        *(hdv.key, table.key, manifest.key),
        *(layout.hdv_start, layout.block_rows, layout.block_checksums),
        *(layout.row_group_rows, list(layout.row_group_offsets), list(layout.row_group_lengths)),
        *(layout.row_group_checksums, written.footer, Jsonb(collections)),
    )
    return versions, _Files((hdv, table), manifest, archive)


async def _sketches(connection: Connection, segment: int) -> tuple[list[tuple[UUID, str, str]], Hypervectors]:
    """Return id, place and writer of each row, in order of ids, and their leading components."""
    places: list[tuple[UUID, str, str]] = []
    leading = bytearray()
    async with connection.cursor(binary=True) as cursor:
        cursor.adapters.register_loader("varbit", PackedBitsLoader)
        rows = cursor.stream(_SKETCHES, (segment,), size=_BATCH_ROWS)
        async for memory_id, place, writer, sketch in rows:
            places.append((memory_id, place, intern(writer)))
            leading += sketch.tobytes()
    return places, np.frombuffer(leading, np.uint8).reshape(len(places), -1 if places else 0)


async def _batches(connection: Connection, segment: int, ids: Sequence[UUID]) -> AsyncIterator[list[DictRow]]:
    """Yield rows in the order of their ids."""
    async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
        cursor.adapters.register_loader("varbit", PackedBitsLoader)
        cursor.adapters.register_loader("timestamptz", _Moments)
        for first in range(0, len(ids), _BATCH_ROWS):
            await cursor.execute(_ROWS, (segment, list(ids[first : first + _BATCH_ROWS])))
            yield await cursor.fetchall()


async def _finish(session: ArchiveSession, held: Attempt, rows: Sequence[_Version], files: _Files) -> int:
    for wait in (*_PATIENCE_SECONDS, None):
        await held.renew()
        async with session.transaction() as connection:
            await connection.execute(_STAGING)
            async with connection.cursor().copy(_COPY) as copy:
                for number, row in enumerate(rows):
                    await copy.write_row((number, *row))
            (archived,) = await _only(connection, _FINISH, held.id, *files.archive)
        if archived is not None:
            return int(archived)
        if wait is not None:
            await asyncio.sleep(wait)
    raise Conflict(
        "others kept rebuilding partitions or reading the archive, so that a segment could not be exchanged"
    )


def _upload(held: Attempt, written: WrittenFile, extension: str) -> Upload:
    key = held.key("segments", written.sha256, extension)
    return Upload(key, written.path, written.size, written.sha256)


async def _only(connection: Connection, query: LiteralString, *parameters: object) -> tuple[Any, ...]:
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None
    return row


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
