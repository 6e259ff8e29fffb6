"""Binding, permuting, comparing and drawing hypervectors (binary spatter codes, Kanerva 1996)."""

from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidArgument, InvalidHypervector

Hypervectors = NDArray[np.uint8]

MIN_BITS = 1_024
MAX_BITS = 32_768
_TILE_BYTES = 1 << 20


def check_bits(bits: int) -> int:
    """Return `bits`; raise InvalidArgument where no hypervector can have that many components."""
    if bits % 64 or not MIN_BITS <= bits <= MAX_BITS:
        raise InvalidArgument(
            f"invalid number of bits: {bits} is not a multiple of 64 from {MIN_BITS} to {MAX_BITS}"
        )
    return bits


def check_hypervectors(vectors: Hypervectors, *, dimensions: tuple[int, ...] = (1, 2)) -> int:
    """Return the number of components of a vector, a sketch, or a batch; else raise InvalidHypervector."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.uint8:
        kind = vectors.dtype if isinstance(vectors, np.ndarray) else type(vectors).__name__
        raise InvalidHypervector(f"invalid hypervector: {kind} where an array of uint8 is expected")
    if vectors.ndim not in dimensions:
        allowed = " or ".join(map(str, dimensions))
        raise InvalidHypervector(
            f"invalid hypervector: {vectors.ndim} dimensions of array where {allowed} is expected"
        )
    bits = 8 * int(vectors.shape[-1])
    if bits % 64 or not 0 < bits <= MAX_BITS:
        raise InvalidHypervector(
            f"invalid hypervector: {bits} bits where a multiple of 64 up to {MAX_BITS} is expected"
        )
    return bits


def _check_pair(a: Hypervectors, b: Hypervectors, *, dimensions: tuple[int, ...] = (1, 2)) -> int:
    bits, other = check_hypervectors(a, dimensions=dimensions), check_hypervectors(b, dimensions=dimensions)
    if bits != other:
        raise InvalidHypervector(f"invalid hypervector: lengths differ, {bits} bits against {other} bits")
    if a.ndim == b.ndim == 2 and len(a) != len(b):
        raise InvalidHypervector(
            f"invalid hypervector: batches differ, {len(a)} vectors against {len(b)} vectors"
        )
    return bits


def bind(a: Hypervectors, b: Hypervectors) -> Hypervectors:
    """Return a XOR b for vectors, batches of the same size, or one of each; raise InvalidHypervector.

    Commutative, associative, its own inverse, and keeps distances.
    """
    _check_pair(a, b)
    return np.bitwise_xor(a, b)


def unbind(a: Hypervectors, b: Hypervectors) -> Hypervectors:
    """Return what bound with `b` gives `a`: XOR is its own inverse, so this is `bind`."""
    return bind(a, b)


def permute(a: Hypervectors, n: int) -> Hypervectors:
    """Return `a` with component i moved to (i + n) mod D, for a vector or a batch; n may be negative."""
    whole, part = divmod(int(n) % check_hypervectors(a), 8)
    rolled: Hypervectors = np.roll(a, whole, axis=-1)
    if part == 0:
        return rolled
    shift = np.uint8(part)
    shifted: Hypervectors = (rolled >> shift) | (np.roll(rolled, 1, axis=-1) << np.uint8(8 - part))
    return shifted


def distances(batch: Hypervectors, query: Hypervectors) -> NDArray[np.int64]:
    """Return the Hamming distances int64[n] of a batch from one vector, or row by row from another batch."""
    check_hypervectors(batch, dimensions=(2,))
    _check_pair(batch, query)
    found = np.empty(len(batch), np.int64)
    step = max(1, _TILE_BYTES // batch.shape[1])
    for start in range(0, len(batch), step):
        tile = slice(start, start + step)
        differing = np.bitwise_xor(batch[tile], query if query.ndim == 1 else query[tile])
        found[tile] = np.bitwise_count(differing.view(np.uint64)).sum(axis=1, dtype=np.int64)
    return found


def hamming(a: Hypervectors, b: Hypervectors) -> int:
    """Return the number of components, 0 to D, in which two vectors differ; `distances` compares batches."""
    _check_pair(a, b, dimensions=(1,))
    return int(np.bitwise_count(np.bitwise_xor(a, b).view(np.uint64)).sum(dtype=np.int64))


def similarity(a: Hypervectors, b: Hypervectors) -> float:
    """Return 1 - hamming / D of two vectors: 0 for complements, 0.5 for unrelated ones, 1 for equal ones."""
    return 1.0 - hamming(a, b) / (8 * a.size)


def sketch(a: Hypervectors, bits: int = 1_536) -> Hypervectors:
    """Return a copy of the first `bits` components (a multiple of 64) of a vector or of each of a batch."""
    length = check_hypervectors(a)
    if bits % 64 or not 0 < bits <= length:
        raise InvalidArgument(f"invalid sketch: {bits} bits, not a multiple of 64 from 64 to {length}")
    return a[..., : bits // 8].copy()


def random_hypervector(seed: str, bits: int = 16_384) -> Hypervectors:
    """Return `uint8[bits / 8]` drawn from the seed alone.

    The concatenation of sha256(utf8(seed) || uint32_be(i)) for i = 0, 1, ..., cut to `bits`.
    """
    size = check_bits(bits) // 8
    start = sha256(seed.encode())
    blocks = []
    for i in range(-(-size // 32)):
        block = start.copy()
        block.update(i.to_bytes(4, "big"))
        blocks.append(block.digest())
    # A writable array: frombuffer over bytes would be read-only.
    return np.frombuffer(bytearray(b"".join(blocks)), np.uint8)[:size]


@lru_cache(maxsize=8)
def tie_hypervector(bits: int) -> Hypervectors:
    """Return random_hypervector('mnemo:tie'), which settles every tie of a majority; shared, so read-only."""
    tie = random_hypervector("mnemo:tie", bits)
    tie.flags.writeable = False
    return tie
