"""Reads the files of a segment: whole ones that were downloaded, or parts that a range read brought."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.archive.format.manifest import Manifest, ObjectRef
from engine.archive.format.table import COLUMNS, SCHEMA, rows_of
from engine.archive.format.writer import CHECKSUM_BYTES
from engine.errors import InvalidArgument, ObjectCorrupted
from engine.hypervector import Hypervectors

_CHUNK = 1 << 20
_BROKEN = (pa.ArrowException, OSError, ValueError, EOFError)


def verify_file(path: Path, ref: ObjectRef) -> None:
    """Read a downloaded object; raise ObjectCorrupted, naming its key, where size or SHA-256 differ."""
    digest = sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    if size != ref.size:
        raise ObjectCorrupted(f"{ref.key} has {size} bytes, not {ref.size}")
    if digest.digest() != ref.sha256:
        raise ObjectCorrupted(f"{ref.key} has the SHA-256 {digest.hexdigest()}, not {ref.sha256.hex()}")


class SegmentReader:
    """Reads a segment as its manifest describes it. Ranges are in bytes, ends excluded; blocking."""

    def __init__(self, manifest: Manifest, footer: bytes | None = None) -> None:
        """`footer`: the end of rows.parquet, for reading single row groups."""
        self.manifest = manifest
        self._width = manifest.bits // 8
        self._metadata = None if footer is None else pq.read_metadata(pa.BufferReader(footer))

    def block_range(self, first: int, last: int) -> tuple[int, int]:
        """Return where in hdv.npy the blocks [first, last] begin and end."""
        layout = self.manifest.layout
        blocks = -(-self.manifest.rows // layout.block_rows)
        if not 0 <= first <= last < blocks:
            raise InvalidArgument(f"blocks {first} to {last} of {self.manifest.hdv.key}, which has {blocks}")
        rows = first * layout.block_rows, min((last + 1) * layout.block_rows, self.manifest.rows)
        return layout.hdv_start + rows[0] * self._width, layout.hdv_start + rows[1] * self._width

    def blocks(self, data: bytes, first: int) -> Hypervectors:
        """Return uint8[n, D/8] of whole blocks from `first` on; ObjectCorrupted names what differs."""
        layout = self.manifest.layout
        size = layout.block_rows * self._width
        for block, start in enumerate(range(0, len(data), size), first):
            verify_part(
                data[start : start + size],
                layout.block_checksums,
                block,
                f"block {block} of {self.manifest.hdv.key}",
            )
        return np.frombuffer(data, np.uint8).reshape(-1, self._width)

    def group_range(self, group: int) -> tuple[int, int]:
        """Return where in rows.parquet a row group begins, and where its embeddings do."""
        layout = self.manifest.layout
        start = layout.row_group_offsets[group]
        return start, start + layout.row_group_lengths[group]

    def group(self, data: bytes, group: int, rows: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Return rows of a row group read by `group_range`, without embeddings; `rows`: numbers, None: all.

        Raises ObjectCorrupted, naming the object and the row group, where it is not what was written.
        """
        if self._metadata is None:
            raise InvalidArgument("a row group cannot be read without the footer of its file")
        layout = self.manifest.layout
        name = f"row group {group} of {self.manifest.table.key}"
        verify_part(data, layout.row_group_checksums, group, name)
        source = pa.PythonFile(Part(data, layout.row_group_offsets[group]), mode="r")
        try:
            with pq.ParquetFile(source, metadata=self._metadata, pre_buffer=False) as file:
                table = file.read_row_group(group, columns=SCHEMA.names[:-1], use_threads=False)
        except _BROKEN as error:
            raise ObjectCorrupted(f"{name} cannot be read: {error}") from error
        if rows is not None:
            first = group * layout.row_group_rows
            table = table.take([row - first for row in rows])
        return rows_of(table)

    def batches(
        self, hdv: Path, rows: Path, size: int = 1_024
    ) -> Iterator[tuple[list[dict[str, Any]], Hypervectors]]:
        """Yield all rows of downloaded files in order, `size` at a time, with hypervectors uint8[n, D/8].

        Verify the files first. Raises ObjectCorrupted where they do not fit the manifest.
        """
        hdvs = self._array(hdv)
        try:
            with pq.ParquetFile(rows, page_checksum_verification=True) as file:
                count, names = file.metadata.num_rows, file.schema_arrow.names
                if count != self.manifest.rows or tuple(names[1:]) != COLUMNS:
                    raise ObjectCorrupted(
                        f"{self.manifest.table.key} has {count} rows of {', '.join(names)},"
                        f" not {self.manifest.rows} of {', '.join(SCHEMA.names)}"
                    )
                first = 0
                for batch in file.iter_batches(size, use_threads=False):
                    table = pa.Table.from_batches([batch])
                    yield rows_of(table), np.asarray(hdvs[first : first + table.num_rows])
                    first += table.num_rows
        except _BROKEN as error:
            raise ObjectCorrupted(f"{self.manifest.table.key} cannot be read: {error}") from error

    def _array(self, path: Path) -> NDArray[np.uint8]:
        key, shape = self.manifest.hdv.key, (self.manifest.rows, self._width)
        try:
            # An array without rows cannot be mapped.
            array: NDArray[np.uint8] = np.load(path, mmap_mode="r" if self.manifest.rows else None)
        except _BROKEN as error:
            raise ObjectCorrupted(f"{key} cannot be read: {error}") from error
        if array.dtype != np.uint8 or array.shape != shape:
            raise ObjectCorrupted(f"{key} holds {array.dtype}{list(array.shape)}, not uint8{list(shape)}")
        return array


def verify_part(data: bytes, checksums: bytes, place: int, name: str) -> None:
    """Compare a block or row group with its checksum, the one at `place`; ObjectCorrupted says `name`."""
    expected = checksums[place * CHECKSUM_BYTES :][:CHECKSUM_BYTES]
    found = sha256(data).digest()[:CHECKSUM_BYTES]
    if found != expected:
        raise ObjectCorrupted(f"{name} has the checksum {found.hex()}, not {expected.hex()}")


class Part:
    """A file of which only one part is here, from byte `start` on, as pyarrow reads files."""

    closed = False

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = self._place = start

    def read(self, length: int = -1) -> bytes:
        begin = self._place - self._start
        end = len(self._data) if length < 0 else begin + length
        if begin < 0 or end > len(self._data):
            raise ValueError(f"bytes {self._place} to {self._start + end} are not in this part")
        self._place = self._start + end
        return self._data[begin:end]

    def seek(self, place: int, whence: int = 0) -> int:
        self._place = place + (0, self._place, self._start + len(self._data))[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        pass
