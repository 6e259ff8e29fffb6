"""Compaction: what is alive in archived segments is written anew, and what is dead leaves the objects."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine.archive.attempts import Attempt, Upload, under_way
from engine.archive.format import ORDER_BITS, SegmentWriter, WrittenFile, order_rows, rows_of
from engine.archive.session import ArchiveSession
from engine.archive.staging import FetchedRow, fetched, patiently, stage_fetched
from engine.archive.whole import Source, Whole, downloaded, objects_of
from engine.errors import LeaseLost, ObjectCorrupted

logger = logging.getLogger(__name__)

# Called with what is being done, how many rows are done, and of how many.
Progress = Callable[[str, int, int], None]

_BEGIN: LiteralString = "select s.segment, s.attempt from mnemo.begin_compaction(%s, %s) s order by s.segment"
_ALIVE: LiteralString = (
    "select a.segment, a.row_number, a.id from mnemo.archived_memory a where a.segment = any (%s)"
    " order by a.segment, a.row_number"
)
_DEAD: LiteralString = (
    "select t.segment, t.row_number, t.id from mnemo.tombstone t where t.segment = any (%s)"
    " and t.reason in ('forgotten', 'rewritten') order by t.segment, t.row_number"
)
_KNOWN: LiteralString = "select s.value::integer, mnemo.now() from mnemo.setting s where s.name = 'bits'"
_COPY: LiteralString = "copy pg_temp.mnemo_kept (row_number, attempt, old_row, id) from stdin"
_FINISH: LiteralString = (
    "select mnemo.finish_compaction(%s, row(null, null, null, null, %s, %s, %s, %s, %s, %s, %s, %s::bigint[],"
    " %s::bigint[], %s, %s, %s)::mnemo.archive)"
)
_FINISH_EMPTY: LiteralString = "select mnemo.finish_compaction(%s, null)"
_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did: the segments that it took, rows read, memories kept, bytes written, seconds."""

    segments: tuple[int, ...]
    rows: int
    memories: int
    object_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of one of the segments: which of them, its number there, whose it is."""

    part: int
    row: int
    memory_id: UUID


async def compact_step(session: ArchiveSession) -> bool:
    """Compact the next segments that are due; True if there were any."""
    return await compact(session) is not None


async def compact(
    session: ArchiveSession,
    segments: Sequence[int] | None = None,
    *,
    progress: Progress | None = None,
    source: Source = downloaded,
) -> Compaction | None:
    """Write what is alive in archived segments into one new segment; None when nothing is due.

    By default those that have enough dead rows, or are too many and small; else `segments`, whatever they
    hold. Rows of several are ordered anew by their neighbourhood. The objects are read whole and verified;
    `source` may give others. Those that are written are read back, before one transaction exchanges the
    segments; the old ones stay in the store for the grace period. A worker that died is followed by the next.

    Raises:
        UnknownName: one of `segments` is no archived segment.
        ObjectCorrupted, ObjectMissing, StoreUnavailable, StoreRefused: the store; noted with the segments.
        ArchiveConflict, InstallationMismatch: objects of another format, or of other bits.
        Conflict: others kept rebuilding partitions or stayed in the archive.
    """
    began = time.perf_counter()
    chosen = None if segments is None else list(segments)
    async with session.transaction() as connection:
        rows = await (await connection.execute(_BEGIN, (session.worker, chosen))).fetchall()
    if not rows:
        return None
    numbers = tuple(row[0] for row in rows)
    try:
        async with under_way(session, rows[0][1]) as held, AsyncExitStack() as stack:
            parts = [
                await stack.enter_async_context(source(session, await objects_of(session, number)))
                for number in numbers
            ]
            kept, size = await _exchange(session, held, parts, progress or _silent)
            read = sum(part.objects.rows for part in parts)
    except LeaseLost:
        logger.info("the compaction of %s was taken over by another worker", _named(numbers))
        return Compaction(numbers, 0, 0, 0, time.perf_counter() - began)
    done = Compaction(numbers, read, kept, size, time.perf_counter() - began)
    logger.info("%s compacted: %d of %d rows kept, %d bytes", _named(numbers), kept, read, size)
    return done


def _named(segments: Sequence[int]) -> str:
    return f"segment{'s' * (len(segments) != 1)} {', '.join(map(str, segments))}"


async def _exchange(
    session: ArchiveSession, held: Attempt, parts: Sequence[Whole], progress: Progress
) -> tuple[int, int]:
    numbers = [part.objects.segment for part in parts]
    async with session.transaction(snapshot=True) as connection:
        row = await (await connection.execute(_KNOWN)).fetchone()
        assert row is not None
        alive = await (await connection.execute(_ALIVE, (numbers,))).fetchall()
        dead = await (await connection.execute(_DEAD, (numbers,))).fetchall()
    kept = [_Place(numbers.index(segment), number, memory_id) for segment, number, memory_id in alive]
    lost = [_Place(numbers.index(segment), number, memory_id) for segment, number, memory_id in dead]
    bits, created = row
    hdvs: list[NDArray[np.uint8]] = [np.load(part.hdv, mmap_mode="r") for part in parts]
    tables = [await asyncio.to_thread(_table, part) for part in parts]
    if len(parts) > 1 and kept:
        progress("ordering", 0, len(kept))
        leading = np.stack([hdvs[place.part][place.row, : ORDER_BITS // 8] for place in kept])
        kept = [kept[at] for at in await asyncio.to_thread(order_rows, leading)]
    with TemporaryDirectory(prefix="mnemo-compaction-") as folder:
        uploads: list[Upload] = []
        archive: tuple[Any, ...] = ()
        if kept:
            with SegmentWriter(Path(folder), bits) as writer:
                for first in range(0, len(kept), _BATCH_ROWS):
                    batch = kept[first : first + _BATCH_ROWS]
                    rows = await asyncio.to_thread(_rows, parts, tables, batch)
                    await asyncio.to_thread(
                        writer.write, rows, np.stack([hdvs[place.part][place.row] for place in batch])
                    )
                    progress("reading", first + len(batch), len(kept))
                written = await asyncio.to_thread(writer.finish)
            # As they were encoded, whatever the collections are now; the segments agree in that, but for a
            # dimension that some do not know yet.
            collections: dict[str, Any] = {}
            for part in parts:
                for name, how in part.objects.collections.items():
                    if collections.get(name, {}).get("dimension") is None:
                        collections[name] = how
            hdv, table = _upload(held, written.hdv, "npy"), _upload(held, written.table, "parquet")
            content = written.manifest(
                hdv.key, table.key, database=session.database, created=created, collections=collections
            ).to_json()
            digest = sha256(content).digest()
            manifest = Upload(held.key("segments", digest, "manifest.json"), content, len(content), digest)
            progress("uploading", 0, len(kept))
            await held.store((hdv, table))
            await held.store([manifest])
            layout = written.layout
            archive = (
                *(hdv.key, table.key, manifest.key),
                *(layout.hdv_start, layout.block_rows, layout.block_checksums),
                *(layout.row_group_rows, list(layout.row_group_offsets), list(layout.row_group_lengths)),
                *(layout.row_group_checksums, written.footer, Jsonb(collections)),
            )
            uploads = [hdv, table, manifest]
    progress("archiving", 0, len(kept))
    await held.renew()
    async with session.transaction() as connection:
        await connection.execute("select mnemo.open_kept()")
        async with connection.cursor().copy(_COPY) as copy:
            for number, place in enumerate(kept):
                attempt = parts[place.part].objects.attempt
                await copy.write_row((number, attempt, place.row, place.memory_id))
        await connection.execute("select mnemo.open_fetched()")
        for number, whole in enumerate(parts):
            texts = await asyncio.to_thread(_texts, parts, tables, [p for p in lost if p.part == number])
            async for _ in stage_fetched(connection, whole.objects.attempt, iter(texts), opened=True):
                pass
        if kept:
            there = await patiently(connection, _FINISH, held.id, *archive)
        else:
            there = await patiently(connection, _FINISH_EMPTY, held.id)
    progress("archiving", len(kept), len(kept))
    return int(there), sum(upload.size for upload in uploads)


def _table(part: Whole) -> pa.Table:
    return pq.read_table(part.table, page_checksum_verification=True, use_threads=False)


def _rows(
    parts: Sequence[Whole], tables: Sequence[pa.Table], places: Sequence[_Place]
) -> list[Mapping[str, Any]]:
    """Return rows in the order of their places; ObjectCorrupted where one is somebody else's."""
    found: dict[tuple[int, int], Mapping[str, Any]] = {}
    for part, table in enumerate(tables):
        numbers = [place.row for place in places if place.part == part]
        rows = rows_of(table.take(pa.array(numbers, pa.int64()))) if numbers else []
        found.update({(part, number): row for number, row in zip(numbers, rows, strict=True)})
    for place in places:
        read = found[place.part, place.row]
        if read["id"] != place.memory_id or read["row_number"] != place.row:
            raise ObjectCorrupted(
                f"row {place.row} of {parts[place.part].objects.rows_key} is memory {read['id']},"
                f" not {place.memory_id}"
            )
    return [found[place.part, place.row] for place in places]


def _texts(parts: Sequence[Whole], tables: Sequence[pa.Table], places: Sequence[_Place]) -> list[FetchedRow]:
    return [fetched(row, None) for row in _rows(parts, tables, places)]


def _upload(held: Attempt, written: WrittenFile, extension: str) -> Upload:
    key = held.key("segments", written.sha256, extension)
    return Upload(key, written.path, written.size, written.sha256)


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
