"""Signed random projection of float embeddings to hypervectors (Charikar 2002), exact on any machine."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidEmbedding
from engine.hypervector.algebra import Hypervectors, check_bits, random_hypervector, tie_hypervector

# 127 d must stay below 2^24: then every partial sum is an integer that float32 holds exactly.
MAX_DIMENSION = (2**24 - 1) // 127
_ROWS = 512
_COLUMNS = 2_048
_MATRIX_BYTES = 128 << 20


def quantise(embeddings: ArrayLike) -> NDArray[np.int8]:
    """Return int8 of the shape of `embeddings`, float32[d] or float32[n, d]: round-half-even(127 x / max|x|).

    Wider floats are rounded to float32 first. Computed in float64, the product first: it is exact, so every
    machine rounds the same quotient. Raises InvalidEmbedding where an embedding is empty, all zero, not
    finite, or has more than 132,104 components.
    """
    with np.errstate(over="ignore"):
        given = np.asarray(embeddings, np.float32)
    if given.ndim not in (1, 2):
        raise InvalidEmbedding(
            f"invalid embedding: {given.ndim} dimensions of array where 1 or 2 is expected"
        )
    dimension = given.shape[-1]
    if not 0 < dimension <= MAX_DIMENSION:
        raise InvalidEmbedding(
            f"invalid embedding: {dimension} components where 1 to {MAX_DIMENSION} are expected"
        )
    finite = np.isfinite(given)
    if not finite.all():
        where = tuple(np.argwhere(~finite)[0].tolist())
        place = f"component {where[-1]}" + (f" of row {where[0]}" if len(where) == 2 else "")
        raise InvalidEmbedding(f"invalid embedding: {place} is {given[where]}")
    largest = np.abs(given).max(axis=-1, keepdims=True).astype(np.float64)
    if (largest == 0).any():
        row = f" of row {int(np.argmax(largest == 0))}" if given.ndim == 2 else ""
        raise InvalidEmbedding(f"invalid embedding: all components{row} are zero")
    quantised: NDArray[np.int8] = np.rint(127.0 * given.astype(np.float64) / largest).astype(np.int8)
    return quantised


def project(embeddings: ArrayLike, seed: str, bits: int = 16_384) -> Hypervectors:
    """Project float32[d] to `uint8[bits / 8]`, or float32[n, d] to `uint8[n, bits / 8]`.

    With q = quantise(embedding) and r[j] = random_hypervector(f"{seed}:{j}"), j from 0, read as +1 and -1:
    component = 1 where sum q[j] r[j] > 0, the tie component where it is 0. Works in tiles and keeps the
    matrices of the last two seeds, at most 128 MiB each. Raises InvalidEmbedding, InvalidArgument.
    """
    check_bits(bits)
    quantised = quantise(embeddings)
    batch = np.atleast_2d(quantised)
    projected = np.empty((len(batch), bits // 8), np.uint8)
    # Sums are integers: half a unit below or above zero decides the ties within the one comparison.
    threshold = 0.5 - np.unpackbits(tie_hypervector(bits)).astype(np.float32)
    dimension = batch.shape[1]
    width = min(bits, _MATRIX_BYTES // (4 * dimension) // 64 * 64)
    for left in range(0, bits, width):
        right = min(left + width, bits)
        signs = _signs(seed, dimension, bits, left, right)
        for top in range(0, len(batch), _ROWS):
            rows = batch[top : top + _ROWS].astype(np.float32)
            for start in range(left, right, _COLUMNS):
                stop = min(start + _COLUMNS, right)
                above = rows @ signs[:, start - left : stop - left] > threshold[start:stop]
                projected[top : top + _ROWS, start // 8 : stop // 8] = np.packbits(above, axis=1)
    return projected if quantised.ndim == 2 else projected[0]


@lru_cache(maxsize=1)
def _packed(seed: str, dimension: int, bits: int) -> Hypervectors:
    return np.stack([random_hypervector(f"{seed}:{j}", bits) for j in range(dimension)])


@lru_cache(maxsize=2)
def _signs(seed: str, dimension: int, bits: int, left: int, right: int) -> NDArray[np.float32]:
    return sign_columns(seed, dimension, bits, left, right)


def sign_columns(seed: str, dimension: int, bits: int, left: int, right: int) -> NDArray[np.float32]:
    """Return float32[dimension, right - left]: each r[j] of `project` as +1 and -1, in those components."""
    packed = _packed(seed, dimension, bits)[:, left // 8 : right // 8]
    signs = np.unpackbits(packed, axis=1).astype(np.float32)
    signs *= 2.0
    signs -= 1.0
    return signs
