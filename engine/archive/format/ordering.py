"""The order of the rows of a segment: near neighbours share blocks, and near clusters lie side by side."""

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors

Floats = NDArray[np.float32]

ORDER_BITS = 4_096
"""Leading components that the order depends on; more of them gained nothing on real data."""
# Word parts of composites are noise to a clustering: what is common to many lies in few directions.
_DIRECTIONS = 128
_PCA_SAMPLE = 8_192
_KMEANS_SAMPLE = 32_768
_ROUNDS = 5
_CLUSTER = 256
_MOST_CLUSTERS = 4_096
# Rows that are chained by their distances to each other, at most.
_PIECE = 1_024
_CHAIN_BITS = 1_024
_CHUNK = 2_048


def order_rows(hdvs: Hypervectors, seed: int = 0) -> NDArray[np.int64]:
    """Return the order int64[n] in which rows are written; row i of the file is hdvs[order[i]].

    `hdvs`: uint8[n, b/8], hypervectors or their leading components, of which the first 4,096 count. Principal
    components of a sample, k-means among them (about 256 rows a cluster), a greedy chain of the clusters, and
    in each a greedy chain of its rows by Hamming distance. The same input gives the same order on one
    machine; another may round its sums otherwise. Memory beyond the input: about 250 MB, and 17 bytes a row.
    """
    if hdvs.ndim != 2 or hdvs.dtype != np.uint8:
        raise InvalidArgument(f"rows to order are {hdvs.dtype}{list(hdvs.shape)}, not uint8[n, b/8]")
    rows = len(hdvs)
    if rows < 2:
        return np.arange(rows, dtype=np.int64)
    leading = hdvs[:, : ORDER_BITS // 8]
    labels = _labels(leading, seed) if rows > _CLUSTER else np.zeros(rows, np.int32)
    order = np.argsort(labels, kind="stable").astype(np.int64)
    sketches = leading[:, : _CHAIN_BITS // 8]
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    last = None
    for start, stop in zip(starts, np.append(starts[1:], rows), strict=True):
        for first in range(start, stop, _PIECE):
            piece = slice(first, min(first + _PIECE, stop))
            chained = order[piece][_chain_rows(_signs(sketches[order[piece]]), last)]
            order[piece] = chained
            last = _signs(sketches[chained[-1:]])[0]
    return order


def _labels(leading: Hypervectors, seed: int) -> NDArray[np.int32]:
    """Return the cluster of each row, clusters numbered along their chain."""
    dice = np.random.default_rng(seed)
    mean, directions = _principal(leading, dice)
    sample = _project(_sample(leading, _KMEANS_SAMPLE, dice), mean, directions)
    count = min(-(-len(leading) // _CLUSTER), _MOST_CLUSTERS, len(sample))
    centres = _k_means(sample, count, dice)
    place = np.empty(count, np.int32)
    place[_chain_centres(centres)] = np.arange(count, dtype=np.int32)
    labels = np.empty(len(leading), np.int32)
    for start in range(0, len(leading), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        labels[chunk] = place[_nearest(_project(leading[chunk], mean, directions), centres)]
    return labels


def _principal(leading: Hypervectors, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the mean [b] and the directions [b, m] of most variance: subspace iteration on a sample."""
    sample = _signs(_sample(leading, _PCA_SAMPLE, dice))
    mean: Floats = sample.mean(axis=0)
    sample -= mean
    found = dice.standard_normal((sample.shape[1], _DIRECTIONS), np.float32)
    for _ in range(4):
        found, _ = np.linalg.qr(sample.T @ (sample @ found))
    return mean, np.ascontiguousarray(found)


def _k_means(points: Floats, count: int, dice: np.random.Generator) -> Floats:
    centres = points[np.sort(dice.choice(len(points), count, replace=False))]
    for _ in range(_ROUNDS):
        labels = np.concatenate(
            [_nearest(points[start : start + _CHUNK], centres) for start in range(0, len(points), _CHUNK)]
        )
        sizes = np.bincount(labels, minlength=count)
        filled = np.flatnonzero(sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[filled])[:-1]])
        sums = np.add.reduceat(points[np.argsort(labels, kind="stable")], starts, axis=0)
        centres[filled] = sums / sizes[filled, None]
        empty = np.flatnonzero(sizes == 0)
        centres[empty] = points[dice.choice(len(points), len(empty))]
    return centres


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    nearness = points @ centres.T
    nearness -= (centres * centres).sum(axis=1) / 2
    found: NDArray[np.intp] = nearness.argmax(axis=1)
    return found


def _chain_centres(centres: Floats) -> NDArray[np.intp]:
    nearness = centres @ centres.T
    nearness -= (centres * centres).sum(axis=1) / 2
    return _chain(nearness, 0)


def _chain_rows(signs: Floats, last: Floats | None) -> NDArray[np.intp]:
    """Return a chain of rows that begins with the one nearest to the last row before them."""
    return _chain(signs @ signs.T, 0 if last is None else int(np.argmax(signs @ last)))


def _chain(nearness: Floats, first: int) -> NDArray[np.intp]:
    """Go from each to the nearest that is left; overwrites `nearness`."""
    chained = np.empty(len(nearness), np.intp)
    current = first
    for place in range(len(nearness)):
        chained[place] = current
        nearness[:, current] = -np.inf
        current = int(np.argmax(nearness[current]))
    return chained


def _project(leading: Hypervectors, mean: Floats, directions: Floats) -> Floats:
    made = np.empty((len(leading), directions.shape[1]), np.float32)
    for start in range(0, len(leading), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        np.matmul(_signs(leading[chunk]) - mean, directions, out=made[chunk])
    return made


def _sample(leading: Hypervectors, most: int, dice: np.random.Generator) -> Hypervectors:
    if len(leading) <= most:
        return leading
    return leading[np.sort(dice.choice(len(leading), most, replace=False))]


def _signs(packed: Hypervectors) -> Floats:
    signs = np.unpackbits(packed, axis=1).astype(np.float32)
    signs *= 2
    signs -= 1
    return signs
