"""Embeddings in an .npy file, read in blocks: a memory map would count as the client's memory."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidEmbedding
from engine.hypervector.projection import MAX_DIMENSION

_BLOCK_BYTES = 4 << 20


class EmbeddingFile:
    """Float embeddings [n, d]; row i belongs to record i.

    Raises InvalidEmbedding, naming the file, where it is no such array, holds pickled objects or is cut off;
    OSError where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, fortran, self._dtype = read(file)
            except (ValueError, EOFError) as error:
                raise InvalidEmbedding(f"{path} is not a NumPy array: {error}") from error
            self._start = file.tell()
            size = file.seek(0, 2) - self._start
        if self._dtype.hasobject:
            raise InvalidEmbedding(f"{path} holds pickled Python objects, which are never loaded")
        if len(shape) != 2 or self._dtype.kind != "f" or self._dtype.itemsize > 8:
            raise InvalidEmbedding(
                f"{path} holds {self._dtype}{list(shape)}, not float16, float32 or float64 [n, d]"
            )
        if fortran and 1 not in shape:
            raise InvalidEmbedding(f"{path} is stored by columns; save numpy.ascontiguousarray of it")
        self.rows, self.dimension = shape
        if not 0 < self.dimension <= MAX_DIMENSION:
            raise InvalidEmbedding(
                f"{path} has {self.dimension} dimensions where 1 to {MAX_DIMENSION} are expected"
            )
        expected = self.rows * self.dimension * self._dtype.itemsize
        if size != expected:
            raise InvalidEmbedding(
                f"{path} is damaged: {self.rows} rows of {self.dimension} take {expected} bytes,"
                f" it has {size}"
            )
        self._block_rows = max(1, _BLOCK_BYTES // (self.dimension * self._dtype.itemsize))
        self._block: NDArray[np.float32] = np.empty((0, self.dimension), np.float32)
        self._first = 0

    def row(self, index: int) -> NDArray[np.float32]:
        """Return float32[d]; asking in order reads the file once. Infinite where float32 cannot hold it."""
        if not self._first <= index < self._first + len(self._block):
            self._load(index)
        vector: NDArray[np.float32] = self._block[index - self._first].copy()
        return vector

    def _load(self, first: int) -> None:
        count = min(self._block_rows, self.rows - first)
        with self.path.open("rb") as file:
            file.seek(self._start + first * self.dimension * self._dtype.itemsize)
            values = np.fromfile(file, self._dtype, count * self.dimension)
        with np.errstate(over="ignore"):
            self._block = values.reshape(count, self.dimension).astype(np.float32)
        self._first = first


def problem_of(vector: NDArray[np.float32]) -> str | None:
    """Say why float32[d] cannot be an embedding; None where it can."""
    if not np.isfinite(vector).all():
        return "holds NaN or infinity"
    if not vector.any():
        return "is all zero: it points nowhere"
    return None
