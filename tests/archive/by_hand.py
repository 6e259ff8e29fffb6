"""Archiving without the exporter: objects written with NumPy and Arrow alone, in an order of one's own."""

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from engine.archive import ObjectStore
from engine.database.parameters import register
from engine.memory import MemoryId

BLOCK_ROWS = 8
GROUP_ROWS = 16
Connection = psycopg.Connection[tuple[Any, ...]]
Order = Callable[[Sequence[MemoryId]], Sequence[MemoryId]]

_ARCHIVE = (
    "select mnemo.finish_export(%s, row(null, null, null, null, %s, %s, %s, %s, %s, %s, %s, %s::bigint[],"
    " %s::bigint[], %s, %s, '{}')::mnemo.archive)"
)
_SCHEMA = pa.schema(
    [
        ("row_number", pa.int32()),
        ("id", pa.binary(16)),
        ("tenant", pa.string()),
        ("collection", pa.string()),
        ("key", pa.string()),
        ("context", pa.string()),
        ("session", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("content", pa.string()),
        ("attributes", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("encoded", pa.string()),
        ("content_sha256", pa.binary(32)),
        ("embedding", pa.binary()),
    ]
)


async def archive_cold(
    dsn: str,
    store: ObjectStore,
    segment: int = 2,
    order: Order = sorted,
    before_end: Callable[[], None] | None = None,
) -> int:
    """Archive a cold segment whose rows are put in an order; return how many memories went.

    `before_end` is called when the last transaction has done everything but commit.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        register(connection)
        return await _archive(connection, store, segment, order, before_end)


async def _archive(
    connection: Connection,
    store: ObjectStore,
    segment: int,
    order: Order,
    before_end: Callable[[], None] | None,
) -> int:
    connection.execute(
        "insert into mnemo.identity (database, is_current, store, fingerprint, token, since)"
        " select gen_random_uuid(), true, %s, '', gen_random_uuid(), now()"
        " where not exists (select from mnemo.identity)",
        (store.url,),
    )
    (owner,) = _row(connection, "select database from mnemo.identity where is_current")
    (attempt,) = _row(connection, "select attempt from mnemo.begin_export('by hand', %s)", segment)
    places = {
        row[1]: row
        for row in connection.execute(
            "select bucket, id, place::text, writer::text from mnemo.export_sketches(%s)", (segment,)
        )
    }
    ids = list(order(list(places)))
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select r.id, r.tenant, r.collection, r.content, r.attributes::text, r.content_sha256,"
            " r.embedding, varbit_send(r.hdv), r.encoded::text, r.occurred_at, r.key, r.context, r.session,"
            " r.created_at from mnemo.export_rows(%s, %s::uuid[]) r",
            (segment, ids),
        )
        rows = cursor.fetchall()
    archive = _objects(rows)
    keys = []
    for content, extension in ((archive[0], "npy"), (archive[1], "parquet"), (b"{}", "manifest.json")):
        digest = hashlib.sha256(content).digest()
        keys.append(f"{owner}/segments/{attempt}/{digest.hex()}.{extension}")
        connection.execute(
            "select mnemo.note_objects(%s, %s, %s::bigint[], %s)",
            (attempt, [keys[-1]], [len(content)], [digest]),
        )
        await store.put(keys[-1], content, digest)
    connection.execute("select mnemo.note_stored(%s, %s)", (attempt, keys))
    with connection.transaction():
        connection.execute("select mnemo.open_exported()")
        with connection.cursor().copy("copy pg_temp.mnemo_exported from stdin") as copy:
            for number, row in enumerate(rows):
                bucket, _, place, writer = places[row[0]]
                copy.write_row((number, bucket, row[0], row[1], row[2], place, writer))
        (archived,) = _row(connection, _ARCHIVE, attempt, *keys, *archive[2:])
        if before_end is not None:
            before_end()
    return int(archived)


def _objects(rows: Sequence[Any]) -> tuple[Any, ...]:
    """Return hdv.npy, rows.parquet, and what mnemo.archive holds of them."""
    hdvs = np.stack([np.frombuffer(row[7], np.uint8, offset=4) for row in rows])
    npy = io.BytesIO()
    np.save(npy, hdvs)
    start = len(npy.getvalue()) - hdvs.nbytes
    blocks = [hdvs[at : at + BLOCK_ROWS].tobytes() for at in range(0, len(hdvs), BLOCK_ROWS)]
    table = pa.Table.from_pylist(
        [
            {
                "row_number": number, "id": row[0].bytes, "tenant": row[1], "collection": row[2],
                "key": row[10], "context": row[11], "session": row[12], "created_at": row[13],
                "content": row[3], "attributes": row[4],
                "occurred_at": row[9], "encoded": row[8], "content_sha256": row[5], "embedding": row[6],
            }
            for number, row in enumerate(rows)
        ],
        _SCHEMA,
    )  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS, write_page_checksum=True)
    parquet = sink.getvalue()
    metadata = pq.read_metadata(io.BytesIO(parquet))
    offsets, lengths = [], []
    for group in range(metadata.num_row_groups):
        columns = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
        starts = [column.dictionary_page_offset or column.data_page_offset for column in columns]
        offsets.append(starts[0])
        lengths.append(starts[-1] - starts[0])
    footer = parquet[-8 - int.from_bytes(parquet[-8:-4], "little") :]
    return (
        npy.getvalue(), parquet, start, BLOCK_ROWS, _checksums(blocks), GROUP_ROWS, offsets, lengths,
        _checksums([parquet[o : o + n] for o, n in zip(offsets, lengths, strict=True)]), footer,
    )  # fmt: skip


def _checksums(parts: Sequence[bytes]) -> bytes:
    return b"".join(hashlib.sha256(part).digest()[:8] for part in parts)


def _row(connection: Connection, statement: str, *parameters: Any) -> Any:
    row = connection.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row
