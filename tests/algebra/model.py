"""The definitions once more, on plain Python integers and strings, slow and obvious."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engine.hypervector import Hypervectors


def text(vector: Hypervectors) -> str:
    """Return a hypervector as a string of zeros and ones, component 0 first."""
    return format(int.from_bytes(vector.tobytes(), "big"), f"0{8 * len(vector)}b")


def pack(components: str) -> Hypervectors:
    """Return the hypervector of a string of zeros and ones."""
    return np.frombuffer(int(components, 2).to_bytes(len(components) // 8, "big"), np.uint8)


def bind(a: Hypervectors, b: Hypervectors) -> Hypervectors:
    """One where the components differ."""
    return pack("".join("1" if x != y else "0" for x, y in zip(text(a), text(b), strict=True)))


def permute(a: Hypervectors, n: int) -> Hypervectors:
    """Component i moves to (i + n) mod D."""
    components = text(a)
    moved = [""] * len(components)
    for i, component in enumerate(components):
        moved[(i + n) % len(components)] = component
    return pack("".join(moved))


def hamming(a: Hypervectors, b: Hypervectors) -> int:
    """How many components differ."""
    return sum(x != y for x, y in zip(text(a), text(b), strict=True))


def random_hypervector(seed: str, bits: int) -> Hypervectors:
    """SHA-256 in counter mode, cut."""
    blocks = [hashlib.sha256(seed.encode() + i.to_bytes(4, "big")).digest() for i in range(-(-bits // 256))]
    return np.frombuffer(b"".join(blocks)[: bits // 8], np.uint8)


def signs(sums: Sequence[int], bits: int) -> Hypervectors:
    """One where the sum is positive, the tie component where it is zero."""
    tie = text(random_hypervector("mnemo:tie", bits))
    return pack("".join(t if s == 0 else "1" if s > 0 else "0" for s, t in zip(sums, tie, strict=True)))


def bundle(vectors: Hypervectors, weights: Sequence[int] | None = None) -> Hypervectors:
    """The sign of the weighted sum of +1 and -1."""
    sums = [0] * (8 * vectors.shape[1])
    for vector, weight in zip(vectors, weights or [1] * len(vectors), strict=True):
        sums = [s + (weight if c == "1" else -weight) for s, c in zip(sums, text(vector), strict=True)]
    return signs(sums, len(sums))


def quantise(embedding: Sequence[float]) -> list[int]:
    """127 x / max|x| to the nearest integer, halves to even; the quotient rounded to a double once."""
    largest = Fraction(max(map(abs, embedding)))
    return [round(float(127 * Fraction(x) / largest)) for x in embedding]


def project(embedding: Sequence[float], seed: str, bits: int) -> Hypervectors:
    """The sign of the sum of q[j] r[j]."""
    sums = [0] * bits
    for j, q in enumerate(quantise(embedding)):
        row = text(random_hypervector(f"{seed}:{j}", bits))
        sums = [s + (q if c == "1" else -q) for s, c in zip(sums, row, strict=True)]
    return signs(sums, bits)
