"""Bringing memories back from the archive: some by range reads, whole segments from their files."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from engine.archive.attempts import under_way
from engine.archive.cache import Cache
from engine.archive.fetching import Fetcher, ObjectRow, Segment
from engine.archive.session import ArchiveSession
from engine.archive.staging import FetchedRow, count_bits, patiently, rows_of, stage_fetched
from engine.archive.whole import downloaded, objects_of, require_encoding
from engine.errors import (
    Conflict,
    ConnectionFailed,
    MnemoError,
    ObjectCorrupted,
    ObjectMissing,
    TimedOut,
    UnknownMemory,
)
from engine.memory import Tier

logger = logging.getLogger(__name__)

# Called with what is being done, how many rows are done, and of how many.
Progress = Callable[[str, int, int], None]

# What mnemo.move_log says of requests, by their reasons.
_MOVE_REASONS = {"accesses": "accesses"}
_BATCH = 500
# How often memories are looked for again that were moved to another segment meanwhile.
_ROUNDS = 5
# For as long as one batch takes: what a restore reads is not read again.
_CACHE_MB = 64
_FACTS = (
    "select segment, attempt, rows, hdv_key, rows_key, hdv_start, block_rows, block_checksums,"
    " row_group_rows, row_group_offsets, row_group_lengths, row_group_checksums, footer"
    " from mnemo.archive where segment = %s"
)
_CLAIM = "select segment, row_number, memory_id, tier, reason from mnemo.claim_restores(%s)"
_PLACES = "select p.segment, p.row_number, p.memory_id from mnemo.archived_places(%s) p"
_LOST = (
    "select w.id from unnest(%s::uuid[]) as w (id) where not exists (select from mnemo.activity a"
    " where a.bucket = mnemo.bucket_of(w.id) and a.id = w.id and a.tenant = mnemo.tenant()) limit 1"
)
_OF_KEYS = (
    "select w.key, k.id from unnest(%s::text[]) as w (key) left join mnemo.memory_key k"
    " on k.tenant = mnemo.tenant() and k.collection = %s and k.key = w.key"
)
_SEGMENTS = "select r.segment from mnemo.archive r order by r.segment"
_BEGIN = "select s.attempt from mnemo.begin_restore(%s, %s) s"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the archive a memory lies."""

    segment: int
    row: int
    memory_id: UUID


async def restore_step(session: ArchiveSession) -> bool:
    """Bring back the next memories that were asked for, by their uses mostly; True if there were any.

    What cannot be read is noted with its request, and tried again later; the others come back.

    Raises StoreUnavailable and StoreRefused, noted too.
    """
    async with session.transaction() as connection:
        await connection.execute("select mnemo.abandon_restores()")
        rows = await (await connection.execute(_CLAIM, (_BATCH,))).fetchall()
    if not rows:
        return False
    places = [Place(*row[:3]) for row in rows]
    tier, reasons = rows[0][3], {row[2]: row[4] for row in rows}
    for reason in sorted(set(reasons.values())):
        wanted = [place for place in places if reasons[place.memory_id] == reason]
        try:
            back, failed = await _bring_back(session, wanted, tier, _MOVE_REASONS.get(reason, "restored"))
        except MnemoError as error:
            await _fail(session, [place.memory_id for place in wanted], error)
            raise
        for memory_id, wrong in failed.items():
            logger.warning("archived memory %s cannot be restored: %s", memory_id, wrong)
            await _fail(session, [memory_id], wrong)
        left = {place.memory_id for place in wanted} - back - failed.keys()
        if left:
            await _fail(session, left, Conflict("it was moved to another segment meanwhile"))
    return True


async def restore_ids(
    session: ArchiveSession, ids: Sequence[UUID], tier: Tier = "warm", progress: Progress | None = None
) -> int:
    """Bring memories of this tenant back into a tier; return how many. Those that are there already stay.

    Raises:
        UnknownMemory: this tenant has none of one of the ids; the others are back then.
        ObjectCorrupted, ObjectMissing: one cannot be read; the others are back then.
        StoreUnavailable, StoreRefused: the store.
    """
    wanted = list(dict.fromkeys(ids))
    done = 0
    failed: dict[UUID, MnemoError] = {}
    for _ in range(_ROUNDS):
        async with session.transaction() as connection:
            rows = await (await connection.execute(_PLACES, (wanted,))).fetchall()
        places = sorted((Place(*row) for row in rows), key=lambda place: (place.segment, place.row))
        places = [place for place in places if place.memory_id not in failed]
        if not places:
            break
        for batch in _batches(places):
            back, wrong = await _bring_back(session, batch, tier, "restored")
            done += len(back)
            failed |= wrong
            if progress is not None:
                progress("restoring", done, len(wanted))
    if failed:
        raise next(iter(failed.values()))
    async with session.transaction() as connection:
        lost = await (await connection.execute(_LOST, (wanted,))).fetchone()
    if lost is not None:
        raise UnknownMemory(f"there is no memory {lost[0]}")
    return done


async def ids_of_keys(session: ArchiveSession, keys: Sequence[str], collection: str) -> list[UUID]:
    """Return the ids of memories of this tenant by their keys; UnknownMemory where there is none."""
    async with session.transaction() as connection:
        rows = await (await connection.execute(_OF_KEYS, (list(keys), collection))).fetchall()
    for key, memory_id in rows:
        if memory_id is None:
            raise UnknownMemory(f"collection {collection!r} has no memory of key {key!r}")
    return [memory_id for _, memory_id in rows]


async def archived_segments(session: ArchiveSession) -> list[int]:
    """Return the numbers of the archived segments."""
    async with session.transaction() as connection:
        return [row[0] for row in await (await connection.execute(_SEGMENTS)).fetchall()]


async def restore_segment(
    session: ArchiveSession, segment: int, tier: Tier = "warm", progress: Progress | None = None
) -> int:
    """Bring a whole segment back, of all tenants, into a partition of its own; return how many memories.

    Into the hot tier they go row by row, since that has one partition; what was forgotten of them leaves the
    objects with the next compaction then.

    Raises:
        UnknownName: there is no such archived segment.
        Conflict: somebody else is at it, or others kept rebuilding partitions.
        ObjectCorrupted, ObjectMissing, StoreUnavailable, StoreRefused: its objects; it is archived as before.
    """
    if tier == "hot":
        return await _restore_rows(session, segment, tier, progress)
    async with session.transaction() as connection:
        row = await (await connection.execute(_BEGIN, (session.worker, segment))).fetchone()
    if row is None:
        raise Conflict(f"archived segment {segment} is being restored or compacted by somebody else")
    objects = await objects_of(session, segment)
    async with (
        under_way(session, row[0]) as attempt,
        downloaded(session, objects) as whole,
        session.transaction() as connection,
    ):
        await require_encoding(session, segment, objects.collections)
        staged = 0
        async for count in stage_fetched(connection, objects.attempt, rows_of(whole)):
            staged += count
            if progress is not None:
                progress(f"restoring segment {segment}", staged, objects.rows)
        restored = await patiently(connection, "select mnemo.finish_restore(%s, %s)", attempt.id, tier)
    return int(restored)


async def _restore_rows(session: ArchiveSession, segment: int, tier: Tier, progress: Progress | None) -> int:
    objects = await objects_of(session, segment)
    done = 0
    async with downloaded(session, objects) as whole:
        await require_encoding(session, segment, objects.collections)
        rows: list[FetchedRow] = []
        for row in rows_of(whole):
            rows.append(row)
            if len(rows) == _BATCH or row.number == objects.rows - 1:
                done += len(await _write(session, objects.attempt, rows, tier, "restored"))
                rows = []
                if progress is not None:
                    progress(f"restoring segment {segment}", row.number + 1, objects.rows)
    return done


async def _bring_back(
    session: ArchiveSession, places: Sequence[Place], tier: Tier, reason: str
) -> tuple[set[UUID], dict[UUID, MnemoError]]:
    """Restore memories of one segment; return those that are back, and what is wrong with others."""
    async with (
        session.transaction() as connection,
        connection.cursor(binary=True, row_factory=class_row(Segment)) as cursor,
    ):
        await cursor.execute(_FACTS.encode(), (places[0].segment,))
        segment = await cursor.fetchone()
    if segment is None:
        return set(), {}
    objects = await objects_of(session, segment.segment)
    await require_encoding(session, segment.segment, objects.collections)
    rows, failed = await _fetch(session, segment, places)
    if not rows:
        return set(), failed
    try:
        return await _write(session, segment.attempt, rows, tier, reason), failed
    except (ConnectionFailed, Conflict, TimedOut):
        raise
    except MnemoError as error:
        logger.debug("a batch cannot be restored as one: %s", error)
    # One of them is not what it was: which one, and the others all the same.
    back: set[UUID] = set()
    for row in rows:
        try:
            back |= await _write(session, segment.attempt, [row], tier, reason)
        except MnemoError as error:
            failed[row.memory_id] = error
    return back, failed


async def _write(
    session: ArchiveSession, attempt: UUID, rows: Sequence[FetchedRow], tier: Tier, reason: str
) -> set[UUID]:
    async with session.transaction() as connection:
        async for _ in stage_fetched(connection, attempt, iter(rows)):
            pass
        row = await (
            await connection.execute("select mnemo.restore_memories(%s, %s)", (tier, reason))
        ).fetchone()
    assert row is not None
    return set(row[0])


async def _fetch(
    session: ArchiveSession, segment: Segment, places: Sequence[Place]
) -> tuple[list[FetchedRow], dict[UUID, MnemoError]]:
    """Read rows by ranges, each block and row group verified; what cannot be read does not harm the rest."""
    fetcher = Fetcher(session.store, Cache(_CACHE_MB), await count_bits(session))
    limit = asyncio.Semaphore(session.settings.archive.concurrency)
    failed: dict[UUID, MnemoError] = {}
    hdvs: dict[int, NDArray[np.uint8]] = {}
    texts: dict[int, ObjectRow] = {}

    async def read_block(block: int, here: Sequence[Place]) -> None:
        async with limit:
            try:
                read = await fetcher.hypervectors(segment, block, block)
            except (ObjectCorrupted, ObjectMissing) as error:
                failed.update({place.memory_id: error for place in here})
                return
        hdvs.update({place.row: read[place.row - block * segment.block_rows] for place in here})

    async def read_group(here: Sequence[Place]) -> None:
        async with limit:
            try:
                texts.update(await fetcher.rows(segment, [place.row for place in here], embeddings=True))
            except (ObjectCorrupted, ObjectMissing) as error:
                failed.update({place.memory_id: error for place in here})

    blocks = _grouped(places, segment.block_rows)
    groups = _grouped(places, segment.row_group_rows)
    reading = [read_block(block, here) for block, here in blocks.items()]
    outcomes = await asyncio.gather(*reading, *map(read_group, groups.values()), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    rows = []
    for place in places:
        if place.memory_id in failed:
            continue
        text = texts[place.row]
        if text.memory_id != place.memory_id:
            failed[place.memory_id] = ObjectCorrupted(
                f"row {place.row} of {segment.rows_key} is memory {text.memory_id}, not {place.memory_id}"
            )
            continue
        rows.append(
            FetchedRow(
                place.row, place.memory_id, None, text.content, text.attributes, text.embedding, text.encoded,
                text.content_sha256, hdvs[place.row].tobytes(),
            )
        )  # fmt: skip
    return rows, failed


async def _fail(session: ArchiveSession, ids: Iterable[UUID], error: Exception) -> None:
    async with session.transaction() as connection:
        await connection.execute(
            "select mnemo.fail_restores(%s, %s)", (list(ids), f"{type(error).__name__}: {error}")
        )


def _grouped(places: Iterable[Place], rows: int) -> Mapping[int, list[Place]]:
    groups: dict[int, list[Place]] = {}
    for place in places:
        groups.setdefault(place.row // rows, []).append(place)
    return groups


def _batches(places: Sequence[Place]) -> Iterator[list[Place]]:
    batch: list[Place] = []
    for place in places:
        if batch and (len(batch) == _BATCH or batch[0].segment != place.segment):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
