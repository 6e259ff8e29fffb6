"""The peer of Mnemo's writes: COPY of ready rows into a table with the same columns and the same indexes."""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from engine import Memory
from engine.database.parameters import PackedBits
from tests.benchmarks.stage import Connection

_COLUMNS = {
    "occurred_at": "timestamptz", "created_at": "timestamptz", "segment": "int4", "bucket": "int2",
    "id": "uuid", "tenant": "text", "collection": "text", "context": "text", "session": "text",
    "key": "text", "content": "text", "attributes": "jsonb", "embedding": "bytea", "hdv": "varbit",
}  # fmt: skip
_COPY = f"copy mnemo.bare ({', '.join(_COLUMNS)}) from stdin (format binary)"
Row = tuple[Any, ...]


def rows(memories: Sequence[Memory]) -> list[Row]:
    """Return the rows of these memories, ready to be copied."""
    now = datetime.now(UTC)
    return [_row(memory, now) for memory in memories]


def copy(connection: Connection, ready: Sequence[Row]) -> None:
    """Copy rows in one transaction."""
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copying:
        copying.set_types(list(_COLUMNS.values()))
        for row in ready:
            copying.write_row(row)


def load(connection: Connection, ready: Sequence[Row]) -> None:
    """Make the table, copy the rows, build the indexes: in one transaction."""
    with connection.transaction():
        connection.execute("select mnemo.create_partition('bare', 'hot')")
        copy(connection, ready)
        connection.execute("select mnemo.index_partition('bare', 'hot')")
    connection.execute("analyze mnemo.bare")


def batches(ready: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield what is written in one transaction each."""
    for start in range(0, len(ready), size):
        yield ready[start : start + size]


def _row(memory: Memory, now: datetime) -> Row:
    assert memory.hdv is not None
    bucket = int(memory.hdv[0]) << 2 | int(memory.hdv[1]) >> 6
    return (
        now, now, 0, bucket, _id(bucket), "default", "memories", None, None, memory.key, memory.content,
        Jsonb(dict(memory.attributes)), None, PackedBits.of(memory.hdv),
    )  # fmt: skip


def _id(bucket: int) -> UUID:
    random = int.from_bytes(os.urandom(10), "big") >> 10 << 10 | bucket
    value = int(time.time() * 1000) << 80 | random
    return UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62)
