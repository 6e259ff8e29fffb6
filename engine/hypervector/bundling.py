"""Component-wise majority by bit-sliced counters: 64 components a word, all counted at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InvalidArgument
from engine.hypervector.algebra import Hypervectors, check_bits, check_hypervectors, tie_hypervector

_Words = NDArray[np.uint64]
# Rows of 64-bit words by worth: levels[k] holds vectors worth 2^k each.
_Levels = list[list[_Words]]
_TILE_BYTES = 1 << 19


def bundle(vectors: Hypervectors, weights: ArrayLike | None = None) -> Hypervectors | None:
    """Return the majority `uint8[D / 8]` of a batch `uint8[n, D / 8]`, row i counted weights[i] times.

    A tie takes the component of random_hypervector('mnemo:tie'). The order of rows never matters. The bundle
    of nothing is None. Weights are positive integers with a sum below 2^63. Memory beyond the input is a few
    tiles. Raises InvalidHypervector, InvalidArgument.
    """
    bits = check_bits(check_hypervectors(vectors, dimensions=(2,)))
    counted = None if weights is None else _check_weights(weights, len(vectors))
    if len(vectors) == 0:
        return None
    total = len(vectors) if counted is None else sum(counted.tolist())
    if total >= 1 << 63:
        raise InvalidArgument(f"invalid weights: their sum {total} is not below 2^63")

    step = max(3, _TILE_BYTES // vectors.shape[1])
    levels: _Levels = [[] for _ in range(total.bit_length())]
    waiting = 0
    for start in range(0, len(vectors), step):
        tile = np.ascontiguousarray(vectors[start : start + step]).view(np.uint64)
        counters = [[tile]] if counted is None else _by_bit(tile, counted[start : start + step])
        for level, rows in enumerate(_reduce(counters)):
            levels[level].extend(rows)
        waiting += 1
        if waiting == step // 2:
            levels = _reduce(levels)
            waiting = 0
    return _majority(_reduce(levels), total, tie_hypervector(bits).view(np.uint64)).view(np.uint8)


def _check_weights(weights: ArrayLike, rows: int) -> NDArray[np.int64]:
    given = np.asarray(weights)
    if given.shape != (rows,):
        raise InvalidArgument(f"invalid weights: shape {given.shape} where ({rows},) is expected")
    if rows and not np.issubdtype(given.dtype, np.integer):
        raise InvalidArgument(f"invalid weights: {given.dtype} where integers are expected")
    if rows and (given.min() <= 0 or given.max() >= 1 << 63):
        culprit = given.min() if given.min() <= 0 else given.max()
        raise InvalidArgument(f"invalid weight: {culprit} is not a positive integer below 2^63")
    return given.astype(np.int64)


def _by_bit(rows: _Words, weights: NDArray[np.int64]) -> _Levels:
    return [[rows[(weights >> k) & 1 == 1]] for k in range(int(weights.max()).bit_length())]


def _reduce(levels: _Levels) -> _Levels:
    """Add up vectors of equal worth until at most two of each worth are left (a carry-save tree)."""
    reduced: _Levels = []
    carried: list[_Words] = []
    level = 0
    while level < len(levels) or carried:
        stack = (levels[level] if level < len(levels) else []) + carried
        rows = (
            stack[0] if len(stack) == 1 else np.concatenate(stack) if stack else np.empty((0, 0), np.uint64)
        )
        carried = []
        while len(rows) >= 3:
            third = len(rows) // 3
            a, b, c = rows[:third], rows[third : 2 * third], rows[2 * third : 3 * third]
            half = a ^ b
            # The carry is the majority of three: b where a and b agree, else c.
            carry = half & c
            carry |= a & b
            carried.append(carry)
            half ^= c
            rest = rows[3 * third :]
            rows = np.concatenate([half, rest]) if len(rest) else half
        reduced.append([rows] if len(rows) else [])
        level += 1
    return reduced


def _majority(levels: _Levels, total: int, tie: _Words) -> _Words:
    zero = np.zeros_like(tie)
    carry = zero
    half = total // 2
    # count > half, compared from the lowest bit up: a higher bit that differs overrules all below, so the
    # start decides where count = half, which is a tie when the total is even and a minority when it is odd.
    result = tie.copy() if total % 2 == 0 else zero.copy()
    for level in range(total.bit_length()):
        rows = [row for block in levels[level] for row in block] if level < len(levels) else []
        a, b = [*rows, zero, zero][:2]
        count = a ^ b ^ carry
        carry = (a & b) | ((a ^ b) & carry)
        result = result & count if half >> level & 1 else result | count
    return result
