"""Embeddings of any model as hypervectors, by signed random projection."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidArgument, InvalidEmbedding
from engine.hypervector import Hypervectors, project
from engine.hypervector.algebra import check_bits


class ProjectionEncoder:
    """Embeddings `[n, dimension]` of real numbers to hypervectors: see `engine.hypervector.project`."""

    name = "projection"
    version = 1

    def __init__(self, dimension: int, seed: str, bits: int = 16_384) -> None:
        if dimension < 1:
            raise InvalidArgument(f"invalid dimension: {dimension} is not positive")
        self.dimension = dimension
        self.seed = seed
        self.bits = check_bits(bits)

    def encode(self, batch: ArrayLike, /) -> Hypervectors:
        """Return `uint8[n, D / 8]` for n embeddings.

        Raises InvalidEmbedding, naming the row, where one has another dimension, a component that is not a
        finite number, or only zeros.
        """
        embeddings = self._matrix(batch)
        if len(embeddings) == 0:
            return np.empty((0, self.bits // 8), np.uint8)
        return project(embeddings, self.seed, self.bits)

    def _matrix(self, batch: ArrayLike) -> NDArray[np.float32]:
        try:
            given = np.asarray(batch)
        except ValueError:
            raise InvalidEmbedding(f"invalid embedding: {self._culprit(batch)}") from None
        if given.shape == (0,):
            given = np.empty((0, self.dimension), np.float32)
        if given.shape[1:] != (self.dimension,) or given.dtype.kind not in "fiu":
            raise InvalidEmbedding(f"invalid embedding: {self._culprit(batch)}")
        with np.errstate(over="ignore"):
            return given.astype(np.float32, copy=False)

    def _culprit(self, batch: ArrayLike) -> str:
        if isinstance(batch, list | tuple | np.ndarray):
            for at, row in enumerate(batch):
                values = np.array(row, np.object_)
                if values.shape != (self.dimension,):
                    found = f"{len(values)} components" if values.ndim == 1 else f"shape {values.shape}"
                    return f"row {at} has {found} where {self.dimension} components are expected"
                if np.asarray(row).dtype.kind not in "fiu":
                    return f"row {at} holds something that is not a real number"
        return f"rows of {self.dimension} real numbers are expected"
