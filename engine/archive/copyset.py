"""The files of a set of copies: hdv.npy, rows.parquet, manifest.json."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.archive.format import ObjectRef
from engine.archive.objects import ObjectStore
from engine.errors import ArchiveConflict, InstallationMismatch, ObjectCorrupted

FORMAT_VERSION = 1
_ROW_GROUP_ROWS = 1024
_CHUNK = 1 << 20
_TIME = pa.timestamp("us", "UTC")
# Embeddings last, as in a segment. Of a forgotten memory only id, bucket, tenant and occurred_at (when) are
# there; of an archived one whose attributes changed all but content, encoded, hash and embedding.
SCHEMA = pa.schema(
    [
        pa.field("row_number", pa.int32(), nullable=False),
        pa.field("id", pa.uuid(), nullable=False),
        pa.field("bucket", pa.int16(), nullable=False),
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
        pa.field("tier", pa.string()),
        pa.field("pinned", pa.bool_(), nullable=False),
        pa.field("forgotten", pa.bool_(), nullable=False),
        pa.field("embedding", pa.binary()),
    ]
)
COLUMNS = SCHEMA.names[1:]


@dataclass(frozen=True, slots=True)
class CopySet:
    """What a manifest says of a set; `created` is when its rows were read, by the database's clock."""

    key: str
    database: UUID
    bits: int
    number: int
    created: datetime
    rows: int
    hypervectors: int
    """The first so many rows have one; the others are forgotten, or in the archive."""
    forgotten: int
    merges: tuple[UUID, ...]
    """The attempts whose sets this one took the place of."""
    hdv: ObjectRef
    table: ObjectRef
    collections: Mapping[str, Mapping[str, Any]]

    @property
    def attempt(self) -> UUID:
        """The folder."""
        return UUID(self.key.split("/")[-2])

    def to_json(self) -> bytes:
        """Return the manifest, always the same bytes for the same set."""
        objects = {
            name: {"key": ref.key, "size": ref.size, "sha256": ref.sha256.hex()}
            for name, ref in (("hdv", self.hdv), ("rows", self.table))
        }
        value = {
            "kind": "copy",
            "format_version": FORMAT_VERSION,
            "database": str(self.database),
            "bits": self.bits,
            "number": self.number,
            "created": self.created.isoformat(),
            "rows": self.rows,
            "hypervectors": self.hypervectors,
            "forgotten": self.forgotten,
            "merges": [str(attempt) for attempt in self.merges],
            "objects": objects,
            "collections": dict(self.collections),
        }
        return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode()


def parse_manifest(key: str, data: bytes) -> CopySet:
    """Read a manifest.

    Raises ObjectCorrupted where it is not the object that its key names, ArchiveConflict where it is of
    another format.
    """
    if hashlib.sha256(data).hexdigest() != key.rpartition("/")[2].partition(".")[0]:
        raise ObjectCorrupted(f"{key} is not what was written: its SHA-256 differs")
    value = json.loads(data)
    if value.get("kind") != "copy" or value.get("format_version") != FORMAT_VERSION:
        raise ArchiveConflict(
            f"{key} is of kind {value.get('kind')!r}, format {value.get('format_version')!r};"
            f" this program reads copies of format {FORMAT_VERSION}"
        )
    refs = {
        name: ObjectRef(ref["key"], ref["size"], bytes.fromhex(ref["sha256"]))
        for name, ref in value["objects"].items()
    }
    return CopySet(
        key=key,
        database=UUID(value["database"]),
        bits=value["bits"],
        number=value["number"],
        created=datetime.fromisoformat(value["created"]),
        rows=value["rows"],
        hypervectors=value["hypervectors"],
        forgotten=value["forgotten"],
        merges=tuple(UUID(attempt) for attempt in value["merges"]),
        hdv=refs["hdv"],
        table=refs["rows"],
        collections=value["collections"],
    )


def require_width(key: str, theirs: int, ours: int) -> None:
    """Raise InstallationMismatch unless objects are of as many bits as this database."""
    if theirs != ours:
        raise InstallationMismatch(f"{key} holds hypervectors of {theirs} bits, this database stores {ours}")


class CopyWriter:
    """Writes hdv.npy and rows.parquet into a folder; rows that have hypervectors come first."""

    def __init__(self, folder: Path, bits: int) -> None:
        self.hdv_path, self.table_path = folder / "hdv.npy", folder / "rows.parquet"
        self.rows = self.hypervectors = self.forgotten = 0
        self._width = bits // 8
        self._hdv = self.hdv_path.open("wb")
        self._header()
        self._table = pq.ParquetWriter(self.table_path, SCHEMA, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, batch: pa.Table, hdvs: NDArray[np.uint8] | None) -> None:
        """Add rows, of COLUMNS; `hdvs`: uint8[rows, D/8], None where they have none."""
        count = batch.num_rows
        if hdvs is not None:
            assert hdvs.shape == (count, self._width)
            assert self.hypervectors == self.rows
            self._hdv.write(np.ascontiguousarray(hdvs).tobytes())
            self.hypervectors += count
        numbers = pa.array(np.arange(self.rows, self.rows + count, dtype=np.int32))
        columns = [numbers, *(batch.column(name) for name in COLUMNS)]
        self._table.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), _ROW_GROUP_ROWS)
        self.rows += count
        self.forgotten += sum(batch.column("forgotten").to_pylist())

    def close(self) -> None:
        """Complete the files."""
        if not self._hdv.closed:
            self._table.close()
            # The header of an array has room for any number of rows.
            self._hdv.seek(0)
            self._header()
            self._hdv.close()

    def _header(self) -> None:
        described = {"descr": "|u1", "fortran_order": False, "shape": (self.hypervectors, self._width)}
        np.lib.format.write_array_header_1_0(self._hdv, described)


def table_of(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows, their values in the order of COLUMNS, as a table."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
    arrays = []
    for name, values in zip(COLUMNS, columns, strict=True):
        kind = SCHEMA.field(name).type
        if name == "id":
            arrays.append(pa.array([value.bytes for value in values], pa.binary(16)).cast(kind))
        else:
            arrays.append(pa.array(values, kind))
    return pa.Table.from_arrays(arrays, names=COLUMNS)


def read_tables(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a rows.parquet, a row group at a time, in order."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def packed_ids(column: Any) -> NDArray[np.uint64]:
    """Return a column of ids, as UUIDs, texts or 16 bytes, as uint64[n, 2], big-endian halves."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.ExtensionType | pa.UuidType):
        column = column.storage
    values = column.to_pylist()
    data = b"".join(
        v if isinstance(v, bytes) else v.bytes if isinstance(v, UUID) else UUID(v).bytes for v in values
    )
    return np.frombuffer(data, ">u8").reshape(-1, 2).astype(np.uint64)


def unpacked_id(pair: NDArray[np.uint64]) -> UUID:
    """Return the UUID of one row of `packed_ids`."""
    return UUID(bytes=pair.astype(">u8").tobytes())


async def fetch(store: ObjectStore, ref: ObjectRef, target: Path) -> Path:
    """Download an object; ObjectCorrupted, naming it, where it is not what was written."""
    if await store.download(ref.key, target) != ref.sha256:
        raise ObjectCorrupted(f"{ref.key} in {store.url} is not what was written: its SHA-256 differs")
    return target


def file_sha256(path: Path) -> bytes:
    """Return the SHA-256 of a file (32 bytes)."""
    sha256 = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            sha256.update(chunk)
    return sha256.digest()
