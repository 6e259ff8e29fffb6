"""Writes the files of a segment into a folder, batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.archive.format.manifest import Layout, Manifest, ObjectRef
from engine.archive.format.table import SCHEMA, Row, table_of
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors
from engine.hypervector.algebra import check_bits

BLOCK_ROWS = 32
ROW_GROUP_ROWS = 1_024
CHECKSUM_BYTES = 8
_CHUNK = 1 << 20
_REPEATED = ["tenant", "collection", "context", "session", "encoded"]
# Footers of row groups without statistics are a third as long, and they are kept in the database.
_STATISTICS = ["row_number", "occurred_at", "created_at"]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file: where it is, its size in bytes, its SHA-256 (32 bytes)."""

    path: Path
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """What a writer made. `footer`: the end of rows.parquet, without which no row group can be read."""

    bits: int
    rows: int
    hdv: WrittenFile
    table: WrittenFile
    layout: Layout
    footer: bytes

    def manifest(
        self,
        hdv_key: str,
        table_key: str,
        *,
        database: UUID,
        created: datetime,
        collections: Mapping[str, Mapping[str, Any]],
    ) -> Manifest:
        """Return the manifest of the files under these keys; `database` wrote them, `created` is aware."""
        return Manifest(
            database=database,
            created=created,
            bits=self.bits,
            rows=self.rows,
            hdv=ObjectRef(hdv_key, self.hdv.size, self.hdv.sha256),
            table=ObjectRef(table_key, self.table.size, self.table.sha256),
            layout=self.layout,
            collections=collections,
        )


class SegmentWriter:
    """Writes hdv.npy and rows.parquet into a folder; holds one row group and one block at a time.

    Leaving its context without `finish` closes the files and leaves them incomplete. Blocking: not for an
    event loop.
    """

    def __init__(
        self, folder: Path, bits: int, *, block_rows: int = BLOCK_ROWS, row_group_rows: int = ROW_GROUP_ROWS
    ) -> None:
        """Open the files; those of these names in the folder are replaced.

        Raises InvalidArgument where hypervectors or blocks have an impossible size.
        """
        self._bits = check_bits(bits)
        if block_rows < 1 or row_group_rows < 1:
            raise InvalidArgument(
                f"blocks of {block_rows} rows, row groups of {row_group_rows}: not 1 or more"
            )
        self._block_rows, self._row_group_rows = block_rows, row_group_rows
        self._width = bits // 8
        self._rows = 0
        self._block = bytearray()
        self._block_checksums = bytearray()
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._hdv_path, self._table_path = folder / "hdv.npy", folder / "rows.parquet"
        self._hdv: BinaryIO = self._hdv_path.open("wb")
        self._start = self._write_header()
        self._table = pq.ParquetWriter(
            self._table_path,
            SCHEMA,
            compression="zstd",
            use_dictionary=_REPEATED,
            write_statistics=_STATISTICS,
            write_page_checksum=True,
            # What Arrow remembers beside the schema, its own types, is a kilobyte nobody else reads.
            store_schema=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def write(self, rows: Sequence[Row], hdvs: Hypervectors) -> None:
        """Add rows in their final order, as `table_of` takes them; `hdvs`: uint8[n, D/8], one for each.

        That of a forgotten row is all zero. Raises InvalidArgument; nothing is added then.
        """
        if hdvs.dtype != np.uint8 or hdvs.shape != (len(rows), self._width):
            raise InvalidArgument(
                f"hypervectors are {hdvs.dtype}{list(hdvs.shape)}, not uint8[{len(rows)}, {self._width}]"
            )
        if not rows:
            return
        table = table_of(rows, self._rows)
        content = np.ascontiguousarray(hdvs).tobytes()
        self._hdv.write(content)
        self._add_blocks(content)
        self._waiting.append(table)
        self._waiting_rows += len(rows)
        self._rows += len(rows)
        if self._waiting_rows >= self._row_group_rows:
            self._write_groups(whole=True)

    def finish(self) -> WrittenSegment:
        """Complete the files and return what they are; each is read once more for its checksums."""
        self._write_groups(whole=False)
        if self._block:
            self._block_checksums += _checksum(bytes(self._block))
        self._hdv.seek(0)
        # Room is left for any number of rows: the header stays as long as it was.
        if self._write_header() != self._start:
            raise AssertionError("the header of hdv.npy changed its length")
        self._close()
        footer, offsets, lengths = _row_groups(self._table_path)
        return WrittenSegment(
            bits=self._bits,
            rows=self._rows,
            hdv=_written(self._hdv_path),
            table=_written(self._table_path),
            layout=Layout(
                hdv_start=self._start,
                block_rows=self._block_rows,
                block_checksums=bytes(self._block_checksums),
                row_group_rows=self._row_group_rows,
                row_group_offsets=offsets,
                row_group_lengths=lengths,
                row_group_checksums=_group_checksums(self._table_path, offsets, lengths),
            ),
            footer=footer,
        )

    def _write_header(self) -> int:
        described = {"descr": "|u1", "fortran_order": False, "shape": (self._rows, self._width)}
        np.lib.format.write_array_header_1_0(self._hdv, described)
        return self._hdv.tell()

    def _add_blocks(self, content: bytes) -> None:
        size = self._block_rows * self._width
        self._block += content
        whole = len(self._block) // size * size
        for start in range(0, whole, size):
            self._block_checksums += _checksum(bytes(self._block[start : start + size]))
        del self._block[:whole]

    def _write_groups(self, *, whole: bool) -> None:
        waiting = pa.concat_tables(self._waiting) if self._waiting else SCHEMA.empty_table()
        rows = waiting.num_rows
        count = rows // self._row_group_rows * self._row_group_rows if whole else rows
        if count:
            self._table.write_table(waiting.slice(0, count), self._row_group_rows)
        self._waiting = [waiting.slice(count)] if count < rows else []
        self._waiting_rows = rows - count

    def _close(self) -> None:
        self._hdv.close()
        self._table.close()


def _row_groups(path: Path) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    """Return the footer, where each row group begins, and its length up to the embeddings."""
    with path.open("rb") as file:
        size = file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(size - length)
        footer = file.read()
    metadata = pq.read_metadata(path)
    offsets, lengths = [], []
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        starts = [_begin(described.column(column)) for column in range(described.num_columns)]
        if starts != sorted(starts):
            raise AssertionError(f"row group {group} of {path} does not hold its columns in order")
        offsets.append(starts[0])
        lengths.append(starts[-1] - starts[0])
    return footer, tuple(offsets), tuple(lengths)


def _begin(column: Any) -> int:
    starts = (column.dictionary_page_offset, column.data_page_offset)
    return min(int(start) for start in starts if start is not None)


def _group_checksums(path: Path, offsets: Sequence[int], lengths: Sequence[int]) -> bytes:
    checksums = bytearray()
    with path.open("rb") as file:
        for offset, length in zip(offsets, lengths, strict=True):
            file.seek(offset)
            checksums += _checksum(file.read(length))
    return bytes(checksums)


def _checksum(data: bytes) -> bytes:
    return sha256(data).digest()[:CHECKSUM_BYTES]


def _written(path: Path) -> WrittenFile:
    digest = sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return WrittenFile(path, size, digest.digest())
