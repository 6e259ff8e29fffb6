"""Rows of archived segments by range reads: verified, cached, many at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.archive.cache import Cache
from engine.archive.format import Part, verify_part
from engine.archive.objects import ObjectStore
from engine.errors import ObjectCorrupted

T = TypeVar("T")

# Row groups that lie so close are read in one request, with what is between them; where that would still
# make more requests than so many, those that lie closest share one, up to the wider bound.
_GROUP_GAP_BYTES = 1 << 16
_GROUP_REQUESTS = 6
_WIDEST_GAP_BYTES = 1 << 22
_COLUMNS = ("id", "content", "attributes", "encoded", "content_sha256")
_EMBEDDING = "embedding"


@dataclass(frozen=True, eq=False)
class Segment:
    """What never changes of an archived segment: a row of mnemo.archive, without what a reader needs not."""

    segment: int
    attempt: UUID
    rows: int
    hdv_key: str
    rows_key: str
    hdv_start: int
    block_rows: int
    block_checksums: bytes
    row_group_rows: int
    row_group_offsets: list[int]
    row_group_lengths: list[int]
    row_group_checksums: bytes
    footer: bytes

    @cached_property
    def metadata(self) -> Any:
        """The footer of rows.parquet, as pyarrow has it."""
        return pq.read_metadata(pa.BufferReader(self.footer))

    def group_end(self, group: int, embeddings: bool) -> int:
        """Where in rows.parquet a row group ends, with or without the embeddings, which come last."""
        if not embeddings:
            return self.row_group_offsets[group] + self.row_group_lengths[group]
        described = self.metadata.row_group(group)
        last = described.column(described.num_columns - 1)
        starts = (last.data_page_offset, last.dictionary_page_offset)
        return int(min(s for s in starts if s is not None) + last.total_compressed_size)


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A row of rows.parquet as a search needs it; `attributes` is JSON, as they were when archived."""

    memory_id: UUID
    content: str
    attributes: str
    encoded: str
    content_sha256: bytes
    embedding: bytes | None

    def check(self, attributes: Mapping[str, Any], content_sha256: bytes) -> None:
        """Compare with a memory made of this row; ObjectCorrupted where it is not what was archived.

        `attributes`, `content_sha256`: of that memory. Attributes changed since leave nothing to compare.
        """
        if content_sha256 != self.content_sha256 and json.loads(self.attributes) == attributes:
            raise ObjectCorrupted(
                f"archived memory {self.memory_id} has the content hash {content_sha256.hex()},"
                f" not {self.content_sha256.hex()}"
            )


class Fetcher:
    """Reads rows of segments from one store, for a database of `bits` components."""

    def __init__(self, store: ObjectStore, cache: Cache, bits: int) -> None:
        self._store = store
        self._cache = cache
        self._width = bits // 8

    async def hypervectors(self, segment: Segment, first: int, last: int) -> NDArray[np.uint8]:
        """Return uint8[n, D/8] of the rows of blocks [first, last]; at most one request, two if one is bad.

        Raises ObjectCorrupted, naming object and block, where a block is not what was written, read twice.
        """
        key = segment.hdv_key
        held = {block: self._cache.get((key, block)) for block in range(first, last + 1)}
        missing = [block for block, data in held.items() if data is None]
        if missing:
            held |= await self._read_blocks(segment, missing[0], missing[-1])
        rows = min((last + 1) * segment.block_rows, segment.rows) - first * segment.block_rows
        joined = b"".join(held[block] for block in range(first, last + 1))
        return np.frombuffer(joined, np.uint8).reshape(rows, self._width)

    async def _read_blocks(self, segment: Segment, first: int, last: int) -> dict[int, bytes]:
        size = segment.block_rows * self._width
        length = min((last + 1) * segment.block_rows, segment.rows) * self._width - first * size

        async def read() -> dict[int, bytes]:
            data = await self._store.read(segment.hdv_key, segment.hdv_start + first * size, length)
            return await asyncio.to_thread(verified, data)

        def verified(data: bytes) -> dict[int, bytes]:
            blocks = {block: data[(block - first) * size :][:size] for block in range(first, last + 1)}
            for block, content in blocks.items():
                verify_part(content, segment.block_checksums, block, f"block {block} of {segment.hdv_key}")
            return blocks

        blocks = await _twice(read)
        for block, content in blocks.items():
            self._cache.put((segment.hdv_key, block), content, len(content))
        return blocks

    async def rows(
        self, segment: Segment, numbers: Iterable[int], *, embeddings: bool = False
    ) -> dict[int, ObjectRow]:
        """Return rows of rows.parquet by number; row groups that lie together are read in one request.

        Raises ObjectCorrupted, naming object and row group, as `hypervectors` does.
        """
        wanted = sorted(set(numbers))
        groups = sorted({number // segment.row_group_rows for number in wanted})
        held = {group: self._cache.get((segment.rows_key, group, embeddings)) for group in groups}
        missing = [group for group, table in held.items() if table is None]
        runs = _runs(segment, missing, embeddings)
        for read in await asyncio.gather(*[self._read_groups(segment, run, embeddings) for run in runs]):
            held |= read
        return await asyncio.to_thread(_pick, segment, held, wanted)

    async def _read_groups(
        self, segment: Segment, groups: Sequence[int], embeddings: bool
    ) -> dict[int, pa.Table]:
        start = segment.row_group_offsets[groups[0]]
        end = segment.group_end(groups[-1], embeddings)

        async def read() -> dict[int, pa.Table]:
            data = await self._store.read(segment.rows_key, start, end - start)
            return await asyncio.to_thread(decoded, data)

        def decoded(data: bytes) -> dict[int, pa.Table]:
            tables = {}
            for group in groups:
                begin = segment.row_group_offsets[group] - start
                content = data[begin : segment.group_end(group, embeddings) - start]
                name = f"row group {group} of {segment.rows_key}"
                covered = content[: segment.row_group_lengths[group]]
                verify_part(covered, segment.row_group_checksums, group, name)
                tables[group] = _table(segment, group, content, embeddings)
            return tables

        tables = await _twice(read)
        for group, table in tables.items():
            self._cache.put((segment.rows_key, group, embeddings), table, table.nbytes)
        return tables


def _table(segment: Segment, group: int, data: bytes, embeddings: bool) -> pa.Table:
    """Return the columns that a search needs of one row group."""
    columns = [*_COLUMNS, _EMBEDDING] if embeddings else [*_COLUMNS]
    source = pa.PythonFile(Part(data, segment.row_group_offsets[group]), mode="r")
    try:
        with pq.ParquetFile(
            source, metadata=segment.metadata, pre_buffer=False, page_checksum_verification=True
        ) as opened:
            return opened.read_row_group(group, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ObjectCorrupted(f"row group {group} of {segment.rows_key} cannot be read: {error}") from error


def _pick(segment: Segment, tables: Mapping[int, pa.Table], wanted: Sequence[int]) -> dict[int, ObjectRow]:
    by_group: dict[int, list[int]] = {}
    for number in wanted:
        by_group.setdefault(number // segment.row_group_rows, []).append(number)
    found = {}
    for group, numbers in by_group.items():
        first = group * segment.row_group_rows
        rows = tables[group].take([number - first for number in numbers]).to_pylist()
        for number, row in zip(numbers, rows, strict=True):
            memory_id = row["id"] if isinstance(row["id"], UUID) else UUID(bytes=row["id"])
            found[number] = ObjectRow(
                memory_id,
                row["content"],
                row["attributes"],
                row["encoded"],
                row["content_sha256"],
                row.get(_EMBEDDING),
            )
    return found


def _runs(segment: Segment, groups: Sequence[int], embeddings: bool) -> list[list[int]]:
    """Return the row groups by request: neighbours, and those that little lies between."""
    gaps = [
        segment.row_group_offsets[after] - segment.group_end(before, embeddings)
        for before, after in pairwise(groups)
    ]
    shared = sorted(range(len(gaps)), key=gaps.__getitem__)
    joined = {
        place
        for made, place in enumerate(shared)
        if gaps[place] <= _GROUP_GAP_BYTES
        or (len(groups) - made > _GROUP_REQUESTS and gaps[place] <= _WIDEST_GAP_BYTES)
    }
    runs: list[list[int]] = []
    for place, group in enumerate(groups):
        if place - 1 in joined:
            runs[-1].append(group)
        else:
            runs.append([group])
    return runs


async def _twice(read: Callable[[], Awaitable[T]]) -> T:
    """Read once more what arrived damaged: mostly it was the way here."""
    try:
        return await read()
    except ObjectCorrupted:
        return await read()
