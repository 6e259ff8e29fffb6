"""Exact products of integer matrices in floating point, in pieces small enough for one thread each.

A BLAS library splits larger products among threads of its own, which wait for each other in a loop: where the
database runs on the same machine that costs more than it gains. Pieces of this size are not split.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.hypervector.projection import sign_columns

PIECE = 64
"""Components of a hypervector in one piece of the signs."""
# No more multiplications than this are made by several threads, in any BLAS that NumPy comes with.
_MOST = 1 << 18
_DEPTH = 512
_KEPT_BYTES = 128 << 20

Floats = NDArray[np.floating[Any]]


def multiply(left: Floats, right: Floats, out: Floats) -> None:
    """Set out[n, pieces * width] = left[n, k] @ right[pieces, k, width], the pieces side by side."""
    pieces, depth, width = right.shape
    step = min(depth, _DEPTH)
    rows = max(1, _MOST // (step * width))
    for top in range(0, len(left), rows):
        some = left[top : top + rows]
        if len(some) == 1 and rows > 1:
            # A matrix times a vector is split among threads sooner.
            both = np.empty((2, out.shape[1]), out.dtype)
            multiply(np.repeat(some, 2, axis=0), right, both)
            out[top] = both[0]
            continue
        into = out[top : top + rows].reshape(len(some), pieces, width).transpose(1, 0, 2)
        np.matmul(some[:, :step], right[:, :step], out=into)
        for at in range(step, depth, step):
            into += some[:, at : at + step] @ right[:, at : at + step]


def signs(seed: str, dimension: int, bits: int, left: int, right: int) -> Floats:
    """Return float32[pieces, dimension, PIECE]: r[j] of `project` as +1 and -1, from `left` to `right`."""
    if 4 * dimension * bits <= _KEPT_BYTES:
        return _all_signs(seed, dimension, bits)[left // PIECE : right // PIECE]
    return _pieces(sign_columns(seed, dimension, bits, left, right))


@lru_cache(maxsize=1)
def _all_signs(seed: str, dimension: int, bits: int) -> Floats:
    return _pieces(sign_columns(seed, dimension, bits, 0, bits))


def _pieces(columns: Floats) -> Floats:
    dimension, width = columns.shape
    return np.ascontiguousarray(columns.reshape(dimension, width // PIECE, PIECE).transpose(1, 0, 2))
