"""Which blocks of segments a search reads: those most likely to hold what it looks for, in few requests."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of an archived segment, and its distance as its sketch tells."""

    segment: int
    row: int
    distance: int


@dataclass(frozen=True, slots=True)
class BlockRange:
    """Blocks [first, last] of the hypervectors of a segment; one request reads them."""

    segment: int
    first: int
    last: int


def deviation(bits: int, sketch_bits: int) -> float:
    """Return the standard deviation of a distance that `sketch_bits` components of `bits` tell."""
    return bits * 0.5 / math.sqrt(sketch_bits) * math.sqrt(max(1 - sketch_bits / bits, 0.0))


def plan_reads(
    candidates: Sequence[Candidate],
    block_rows: Mapping[int, int],
    *,
    k: int,
    spread: float,
    gap: int,
    reads: int | None,
) -> list[BlockRange]:
    """Return the ranges to read, the most promising first.

    Candidates at most `gap` blocks apart share a range. A range is worth the sum, over its candidates, of the
    chance that the true distance is below that of the k-th: a normal distribution of deviation `spread`. Of
    ranges the best `reads` are taken for 10 hits in one segment, more for more hits and by the root of the
    number of segments, as neighbours then lie further apart; None: all. `block_rows`: of each segment.
    """
    if not candidates:
        return []
    segments = np.array([one.segment for one in candidates], np.int64)
    blocks = np.array([one.row // block_rows[one.segment] for one in candidates], np.int64)
    distances = np.array([one.distance for one in candidates], np.float64)
    order = np.lexsort((blocks, segments))
    segments, blocks, distances = segments[order], blocks[order], distances[order]
    bound = np.partition(distances, min(k, len(distances)) - 1)[min(k, len(distances)) - 1]
    worth = _normal((bound - distances) / max(spread, 1.0))
    begins = np.ones(len(blocks), np.bool_)
    begins[1:] = (np.diff(blocks) > gap + 1) | (np.diff(segments) > 0)
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(blocks)) - 1
    sums = np.add.reduceat(worth, starts)
    limit = len(starts)
    if reads is not None:
        touched = len(np.unique(segments))
        limit = min(limit, math.ceil(reads * max(1.0, k / 10) * math.sqrt(touched)))
    best = np.argsort(-sums, kind="stable")[:limit]
    return [BlockRange(int(segments[starts[i]]), int(blocks[starts[i]]), int(blocks[ends[i]])) for i in best]


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in values])
