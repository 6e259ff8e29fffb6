"""The columns of rows.parquet, and rows as they are put into them and come out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa

from engine.errors import InvalidArgument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = pa.timestamp("us", "UTC")

INFINITY = 2**63 - 1
"""The time 'infinity', in microseconds; its negative is '-infinity'. DuckDB reads both as such."""

# Embeddings last: whoever reads a row group up to them leaves out what compresses least.
SCHEMA = pa.schema(
    [
        pa.field("row_number", pa.int32(), nullable=False),
        pa.field("id", pa.uuid(), nullable=False),
        pa.field("bucket", pa.int16(), nullable=False),
        pa.field("forgotten", pa.bool_(), nullable=False),
        pa.field("tenant", pa.string()),
        pa.field("collection", pa.string()),
        pa.field("key", pa.string()),
        pa.field("context", pa.string()),
        pa.field("session", pa.string()),
        pa.field("occurred_at", _TIME),
        pa.field("created_at", _TIME),
        pa.field("content", pa.string()),
        pa.field("attributes", pa.string()),
        pa.field("encoded", pa.string()),
        pa.field("strength", pa.float32()),
        pa.field("strength_at", _TIME),
        pa.field("last_access", _TIME),
        pa.field("access_count", pa.int64()),
        pa.field("expires_at", _TIME),
        pa.field("content_sha256", pa.binary(32)),
        pa.field("embedding", pa.binary()),
    ]
)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names[1:])
"""What a row is given as; row numbers are counted here."""

Row = Mapping[str, Any]


def table_of(rows: Sequence[Row], first: int) -> pa.Table:
    """Return rows as a table with all columns, their numbers from `first` on.

    A row names COLUMNS; `forgotten` may be missing, and is false then. `id`: UUID; times: datetime with a
    time zone, or whole microseconds since 1970 for what Python's calendar does not reach (INFINITY);
    `attributes`: the text of a JSON object, since floats would not keep its numbers; `embedding` and
    `content_sha256`: bytes. Anything may be null but id and bucket. Raises InvalidArgument, naming the
    memory, for a value that has no place in its column.
    """
    try:
        return _table(rows, first)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError) as error:
        # One by one, to say which.
        for number, row in enumerate(rows):
            try:
                _table([row], first + number)
            except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError) as cause:
                raise InvalidArgument(f"memory {row['id']} cannot be written: {cause}") from error
        raise


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table, as `table_of` takes them, with their numbers.

    Times that Python's calendar does not reach are microseconds since 1970.
    """
    columns = {}
    for name in table.schema.names:
        column = table.column(name)
        if column.type == _TIME:
            columns[name] = [_moment(value) for value in column.cast(pa.int64()).to_pylist()]
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _table(rows: Sequence[Row], first: int) -> pa.Table:
    numbers = pa.array(range(first, first + len(rows)), pa.int32())
    return pa.Table.from_arrays([numbers, *(_column(name, rows) for name in COLUMNS)], schema=SCHEMA)


def _column(name: str, rows: Sequence[Row]) -> pa.Array:
    kind = SCHEMA.field(name).type
    if name == "id":
        ids = [_id(row[name]).bytes for row in rows]
        return pa.ExtensionArray.from_storage(kind, pa.array(ids, kind.storage_type))
    if name == "forgotten":
        return pa.array([bool(row.get(name)) for row in rows], kind)
    values = [row[name] for row in rows]
    if kind == _TIME:
        return pa.array([_microseconds(value) for value in values], pa.int64()).cast(kind)
    if name == "bucket" and None in values:
        raise ValueError("it has no bucket")
    return pa.array(values, kind)


def _id(value: object) -> UUID:
    if not isinstance(value, UUID):
        raise TypeError(f"its id is {type(value).__name__}, not UUID")
    return value


def _microseconds(value: datetime | int | None) -> int | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"the time {value} has no time zone")
        return (value - _EPOCH) // _MICROSECOND
    return value


def _moment(value: int | None) -> datetime | int | None:
    if value is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        return value
