"""The archive as who searches or reads it sees it: which rows, read from the store, for the database."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from engine.archive.cache import shared_cache
from engine.archive.fetching import Fetcher, ObjectRow, Segment
from engine.archive.objects import ObjectStore
from engine.archive.planning import BlockRange, Candidate, deviation, plan_reads
from engine.archive.registry import open_objects
from engine.config import Settings
from engine.database.parameters import PackedBits
from engine.errors import ObjectCorrupted, ObjectMissing, StoreRefused, StoreUnavailable
from engine.schema.parameters import ARCHIVE_BITS

T = TypeVar("T")

Numbers = NDArray[np.int64]

_log = logging.getLogger(__name__)
# Segments whose facts are kept; of 100,000 rows they take some 100 kB each.
_MOST_SEGMENTS = 1000
# How much wider an exact search looks: it compares every sketch, and reads all that it takes for near.
_EXACT = 10
_UNREADABLE = (StoreUnavailable, StoreRefused, ObjectMissing, ObjectCorrupted, TimeoutError)

_CANDIDATES = (
    "select c.segment, c.row_number, c.distance, a.attempt from mnemo.archive_candidates(%s, k => %s,"
    " collection => %s::text, context => %s::text, filter => %s, exact => %s, candidates => %s) as c"
    " join mnemo.archive as a on a.segment = c.segment"
)
_ATTEMPTS = "select segment, attempt from mnemo.archive where segment = any (%s)"
_FACTS = (
    "select segment, attempt, rows, hdv_key, rows_key, hdv_start, block_rows, block_checksums,"
    " row_group_rows, row_group_offsets, row_group_lengths, row_group_checksums, footer"
    " from mnemo.archive where attempt = any (%s)"
)
# Thousands of them: as bytes they come several times faster than as rows.
_ROWS = (
    "select r.segment, string_agg(int4send(r.row_number), '') from mnemo.archived_rows(%s::integer[],"
    " %s::integer[], %s::integer[], collection => %s::text, context => %s::text, filter => %s) as r"
    " group by r.segment"
)


@dataclass(frozen=True, slots=True)
class Sought:
    """A search of the archive: `hdv` is uint8[D/8]; `keep` hits get their content, `embeddings` with it."""

    hdv: NDArray[np.uint8]
    k: int
    keep: int
    collection: str
    context: str | None
    where: Mapping[str, Any] | None
    exact: bool
    embeddings: bool


@dataclass(slots=True)
class Fetched:
    """What was read: by memory id its hypervector uint8[D/8] and its row of the object.

    `failed`: segments that could not be read, or not all that was wanted of them.
    """

    hdvs: dict[UUID, NDArray[np.uint8]] = field(default_factory=dict)
    rows: dict[UUID, ObjectRow] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    def parameters(self) -> tuple[list[UUID], list[PackedBits], list[str], list[bytes | None]]:
        """Return what mnemo.fetched_rows takes."""
        ids = list(self.rows)
        return (
            ids,
            [PackedBits.of(self.hdvs[one]) for one in ids],
            [self.rows[one].content for one in ids],
            [self.rows[one].embedding for one in ids],
        )


class ArchiveReader:
    """Reads archived memories for one `Mnemo`; the store is opened when it is first needed."""

    def __init__(self, settings: Settings, bits: int) -> None:
        self._settings = settings
        self._bits = bits
        self._spread = deviation(bits, min(bits, ARCHIVE_BITS))
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._store: ObjectStore | None = None
        self._segments: OrderedDict[UUID, Segment] = OrderedDict()

    @property
    def store(self) -> ObjectStore | None:
        """The store, once something was read from it."""
        return self._store

    async def close(self) -> None:
        """Let go of the store."""
        await self._opened.aclose()

    async def search(self, connection: AsyncConnection[Any], sought: Sought) -> Fetched:
        """Return the archived memories that compete for the nearest, with exact hypervectors and contents.

        In a transaction that repeats its reads; the database ranks them in a later statement of it. What
        cannot be read, or not within archive.search_seconds, is left out, named in `failed` and logged.

        Raises InvalidConfiguration where there are archived memories and no store is configured.
        """
        found = Fetched()
        asked = self._settings.archive
        width = max(asked.candidates, 10 * sought.k) * (_EXACT if sought.exact else 1)
        filtering = (sought.collection, sought.context, Jsonb(dict(sought.where or {})))
        cursor = await connection.execute(
            _CANDIDATES,
            (PackedBits.of(sought.hdv), sought.k, *filtering, sought.exact, min(width, 100_000)),
        )
        rows = await cursor.fetchall()
        if not rows:
            return found
        candidates = [Candidate(*row[:3]) for row in rows]
        segments = await self._facts(connection, {row[0]: row[3] for row in rows})
        ranges = plan_reads(
            candidates,
            {number: segment.block_rows for number, segment in segments.items()},
            k=sought.k,
            spread=self._spread,
            gap=asked.gap_blocks,
            reads=None if sought.exact else asked.reads,
        )
        limit = self._limit()
        reading = asyncio.create_task(
            self._read({one: segments[one.segment] for one in ranges}, limit, found.failed)
        )
        try:
            matching = await self._matching(connection, ranges, segments, filtering)
            read = await reading
        finally:
            reading.cancel()
        nearest = await asyncio.to_thread(_nearest, sought, segments, read, matching)
        await self._add_rows(found, nearest, segments, sought.embeddings, limit)
        return found

    async def read(self, connection: AsyncConnection[Any], places: Mapping[UUID, tuple[int, int]]) -> Fetched:
        """Return memories by id, each given as (segment, row); raise what keeps one from being read."""
        cursor = await connection.execute(_ATTEMPTS, ([segment for segment, _ in places.values()],))
        segments = await self._facts(connection, dict(await cursor.fetchall()))
        fetcher = await self._fetcher()
        by_segment: dict[int, dict[int, UUID]] = {}
        for memory_id, (number, row) in places.items():
            by_segment.setdefault(number, {})[row] = memory_id
        found = Fetched()

        async def one(segment: Segment, rows: dict[int, UUID]) -> None:
            blocks = sorted({row // segment.block_rows for row in rows})
            reads = asyncio.gather(*[fetcher.hypervectors(segment, block, block) for block in blocks])
            contents, hdvs = await asyncio.gather(fetcher.rows(segment, rows), reads)
            of = dict(zip(blocks, hdvs, strict=True))
            for row, memory_id in rows.items():
                _check_id(segment, row, memory_id, contents[row])
                block, place = divmod(row, segment.block_rows)
                found.hdvs[memory_id], found.rows[memory_id] = of[block][place], contents[row]

        await asyncio.gather(*[one(segments[number], rows) for number, rows in by_segment.items()])
        return found

    def _limit(self) -> float:
        """Return until when, by the loop's clock, the archive may take."""
        seconds = self._settings.archive.search_seconds
        if self._settings.search.statement_timeout_ms:
            # The rest of the search needs time, too.
            seconds = min(seconds, self._settings.search.statement_timeout_ms / 2000)
        return asyncio.get_running_loop().time() + seconds

    async def _fetcher(self) -> Fetcher:
        async with self._opening:
            if self._store is None:
                self._store = await self._opened.enter_async_context(open_objects(self._settings))
        return Fetcher(self._store, shared_cache(self._settings.archive.cache_mb), self._bits)

    async def _facts(
        self, connection: AsyncConnection[Any], attempts: Mapping[int, UUID]
    ) -> dict[int, Segment]:
        """Return what is known of segments, each given with its attempt: with that it never changes."""
        unknown = [attempt for attempt in attempts.values() if attempt not in self._segments]
        if unknown:
            async with connection.cursor(binary=True, row_factory=class_row(Segment)) as reading:
                await reading.execute(_FACTS, (unknown,))
                self._segments |= {one.attempt: one for one in await reading.fetchall()}
        found = {number: self._segments[attempt] for number, attempt in attempts.items()}
        for segment in found.values():
            self._segments.move_to_end(segment.attempt)
        while len(self._segments) > max(_MOST_SEGMENTS, len(found)):
            self._segments.popitem(last=False)
        return found

    async def _read(
        self, ranges: Mapping[BlockRange, Segment], limit: float, failed: set[int]
    ) -> dict[BlockRange, NDArray[np.uint8]]:
        async def one(wanted: BlockRange, segment: Segment) -> None:
            fetcher = await self._fetcher()
            read[wanted] = await fetcher.hypervectors(segment, wanted.first, wanted.last)

        read: dict[BlockRange, NDArray[np.uint8]] = {}
        await self._within(limit, [(w.segment, one(w, s)) for w, s in ranges.items()], failed)
        return read

    async def _within(
        self, limit: float, work: Sequence[tuple[int, Awaitable[None]]], failed: set[int]
    ) -> None:
        """Do pieces of work, each for a segment; note and log those that cannot be done, or not in time."""

        async def one(number: int, piece: Awaitable[None]) -> None:
            try:
                async with asyncio.timeout_at(limit):
                    await piece
            except _UNREADABLE as error:
                if number not in failed:
                    _log.warning(
                        "archived segment %s is left out of a search: %s", number, error or "time is up"
                    )
                failed.add(number)

        await asyncio.gather(*[one(number, piece) for number, piece in work])

    async def _matching(
        self,
        connection: AsyncConnection[Any],
        ranges: Sequence[BlockRange],
        segments: Mapping[int, Segment],
        filtering: tuple[str, str | None, Jsonb],
    ) -> dict[int, Numbers]:
        """Return which rows of the ranges are memories of this tenant that match, by segment."""
        firsts = [one.first * segments[one.segment].block_rows for one in ranges]
        lasts = [(one.last + 1) * segments[one.segment].block_rows - 1 for one in ranges]
        cursor = connection.cursor(binary=True)
        await cursor.execute(_ROWS, ([one.segment for one in ranges], firsts, lasts, *filtering))
        return {
            segment: np.frombuffer(numbers, ">i4").astype(np.int64)
            for segment, numbers in await cursor.fetchall()
        }

    async def _add_rows(
        self,
        found: Fetched,
        nearest: Mapping[int, Mapping[int, NDArray[np.uint8]]],
        segments: Mapping[int, Segment],
        embeddings: bool,
        limit: float,
    ) -> None:
        async def one(number: int, hdvs: Mapping[int, NDArray[np.uint8]]) -> None:
            fetcher = await self._fetcher()
            contents = await fetcher.rows(segments[number], hdvs, embeddings=embeddings)
            for row, content in contents.items():
                found.hdvs[content.memory_id], found.rows[content.memory_id] = hdvs[row], content

        await self._within(limit, [(number, one(number, of)) for number, of in nearest.items()], found.failed)


def _nearest(
    sought: Sought,
    segments: Mapping[int, Segment],
    read: Mapping[BlockRange, NDArray[np.uint8]],
    matching: Mapping[int, Numbers],
) -> dict[int, dict[int, NDArray[np.uint8]]]:
    """Return hypervectors by segment and row: the `keep` nearest by exact distance, and some that tie."""
    query = sought.hdv.view(np.uint64)
    parts: list[tuple[BlockRange, int, Numbers]] = []
    distances = []
    for wanted, hdvs in read.items():
        first = wanted.first * segments[wanted.segment].block_rows
        rows = matching.get(wanted.segment, np.empty(0, np.int64)) - first
        rows = rows[(rows >= 0) & (rows < len(hdvs))]
        different = np.bitwise_count(hdvs.view(np.uint64) ^ query).sum(axis=1, dtype=np.int64)
        distances.append(different[rows])
        parts.append((wanted, first, rows))
    every = np.concatenate([np.empty(0, np.int64), *distances])
    if not len(every):
        return {}
    last = min(sought.keep, len(every)) - 1
    nearest = np.count_nonzero(every <= np.partition(every, last)[last])
    ends = np.cumsum([len(rows) for _, _, rows in parts])
    found: dict[int, dict[int, NDArray[np.uint8]]] = {}
    # Which of those that tie comes in is for the database to say; of thousands alike some are enough.
    for place in np.argsort(every, kind="stable")[: min(nearest, 2 * sought.keep)].tolist():
        part = int(np.searchsorted(ends, place, "right"))
        wanted, first, rows = parts[part]
        row = int(rows[place - ends[part]])
        found.setdefault(wanted.segment, {})[first + row] = read[wanted][row]
    return found


def _check_id(segment: Segment, row: int, memory_id: UUID, content: ObjectRow) -> None:
    if content.memory_id != memory_id:
        raise ObjectCorrupted(
            f"row {row} of {segment.rows_key} is memory {content.memory_id}, not {memory_id}"
        )
