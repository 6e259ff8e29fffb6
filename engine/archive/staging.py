"""Rows read from objects, on their way into pg_temp.mnemo_fetched."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from engine.archive.session import ArchiveSession
from engine.archive.whole import Whole
from engine.database.parameters import PackedBits
from engine.database.pool import Connection
from engine.errors import Conflict

_TYPES = (
    "uuid", "int4", "uuid", "timestamptz", "text", "jsonb", "bytea", "text", "bytea", "varbit",
)  # fmt: skip
_COPY = (
    "copy pg_temp.mnemo_fetched (attempt, row_number, id, occurred_at, content, attributes, embedding,"
    " encoded, content_sha256, hdv) from stdin (format binary)"
)
_BATCH_ROWS = 1000
# Waits between tries of a last step, while somebody else rebuilds a partition or stays in a table.
_PATIENCE_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class FetchedRow:
    """A row of an archived segment; `attributes` is JSON, `hdv` D/8 bytes, None where it is dead."""

    number: int
    memory_id: UUID
    occurred_at: datetime | None
    content: str
    attributes: str
    embedding: bytes | None
    encoded: str
    content_sha256: bytes
    hdv: bytes | None


def rows_of(whole: Whole) -> Iterator[FetchedRow]:
    """Yield all rows of a segment in order."""
    for rows, hdvs in whole.batches():
        for row, hdv in zip(rows, hdvs, strict=True):
            yield fetched(row, hdv.tobytes())


def fetched(row: Mapping[str, Any], hdv: bytes | None) -> FetchedRow:
    """Return a row of rows.parquet as it is staged."""
    # Where Python's calendar ends, the moment is a number: no word or role is counted by it.
    moment = row["occurred_at"] if isinstance(row["occurred_at"], datetime) else None
    return FetchedRow(
        row["row_number"], row["id"], moment, row["content"], row["attributes"], row["embedding"],
        row["encoded"], row["content_sha256"], hdv,
    )  # fmt: skip


async def stage_fetched(
    connection: Connection, attempt: UUID, rows: Iterator[FetchedRow], *, opened: bool = False
) -> AsyncIterator[int]:
    """Copy rows of the segment of an attempt into pg_temp.mnemo_fetched; yield how many, batch by batch.

    The table is made first, unless it was `opened` in this transaction.
    """
    if not opened:
        await connection.execute("select mnemo.open_fetched()")
    async with connection.cursor() as cursor:
        while batch := await asyncio.to_thread(list, islice(rows, _BATCH_ROWS)):
            async with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in batch:
                    await copy.write_row(_values(attempt, row))
            yield len(batch)


async def patiently(connection: Connection, statement: str, *parameters: object) -> Any:
    """Return what a last step returns, tried again while it finds others in the way; Conflict in the end."""
    for seconds in (*_PATIENCE_SECONDS, None):
        row = await (await connection.execute(statement.encode(), parameters)).fetchone()
        if row is not None and row[0] is not None:
            return row[0]
        if seconds is not None:
            await asyncio.sleep(seconds)
    raise Conflict("others kept rebuilding partitions or stayed in the archive; nothing has changed")


async def count_bits(session: ArchiveSession) -> int:
    """Return D, the components of a hypervector of this database."""
    async with session.transaction() as connection:
        row = await (await connection.execute("select mnemo.bits()")).fetchone()
    assert row is not None
    return int(row[0])


def _values(attempt: UUID, row: FetchedRow) -> tuple[Any, ...]:
    return (
        attempt, row.number, row.memory_id, row.occurred_at, row.content, Jsonb(row.attributes, dumps=str),
        row.embedding, row.encoded, row.content_sha256, None if row.hdv is None else PackedBits(row.hdv),
    )  # fmt: skip
