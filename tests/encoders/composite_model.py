"""The definition of a composite, computed the plain way: integers, component by component."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import frexp, isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.text import tokens
from engine.hypervector import Hypervectors, random_hypervector, tie_hypervector
from tests.encoders.model import symbol

Sum = NDArray[np.int64]
Known = tuple[int, Mapping[str, int]]
_UNIT = 1_024


def composite(
    definition: Mapping[str, Any],
    seed: str,
    bits: int,
    members: Sequence[tuple[str, NDArray[np.int8] | None, int]],
    roles: Mapping[str, Sequence[str]],
    known: Known,
) -> Hypervectors:
    """Encode a memory: (text, embedding, share) of itself and its neighbours, and its values in roles."""
    total = np.zeros(bits, np.int64)
    for text, embedding, share in members:
        raw = {
            (word, kind): _saturated(n, definition["saturation"])
            * half_power(idf(known[0], known[1].get(word, 0)), definition["document_idf"])
            for (word, kind), n in _counted(text).items()
        }
        total += share * definition["words"] * _words(raw, definition, bits)
        if embedding is not None:
            total += share * definition["embedding"] * _meaning(embedding, seed, bits)
    for role, weight in definition["roles"].items():
        total += 256 * weight * _role(role, roles.get(role, ()), definition, bits)
    return _signs(total, bits)


def question(
    definition: Mapping[str, Any],
    seed: str,
    bits: int,
    text: str,
    embedding: NDArray[np.int8] | None,
    roles: Mapping[str, Sequence[str]],
    known: Known,
    local: Known | None,
) -> Hypervectors:
    """Encode a query; `local` is what is known of the context it is asked in."""
    weights = definition["query"]
    raw = {}
    for word, kind in _counted(text):
        value = idf(known[0], known[1].get(word, 0))
        if local is not None:
            value = min(value, idf(local[0], local[1].get(word, 0)))
        if known[1].get(word, 0) == 0:
            value = max(32, value // 2)
        raw[word, kind] = half_power(value, definition["query_idf"])
    total = weights["words"] * _words(raw, definition, bits)
    if embedding is not None:
        total += weights["embedding"] * _meaning(embedding, seed, bits)
    for role, weight in definition["roles"].items():
        total += weight * weights["roles"] // 256 * _role(role, roles.get(role, ()), definition, bits)
    return _signs(total, bits)


def log2(x: int) -> int:
    """Return the base-2 logarithm in 1/256, linear between powers of two."""
    mantissa, exponent = frexp(x)
    return 256 * (exponent - 1) + int((2 * mantissa - 1) * 256)


def idf(memories: int, holding: int) -> int:
    """Return how telling a word is, in 1/256 octaves."""
    return max(32, log2(2 * memories + 2) - log2(2 * min(memories, holding) + 1))


def half_power(value: int, halves: int) -> int:
    """Return a value in 1/256 to a half power."""
    cube = value * value * value
    root = isqrt(cube >> 8)
    return [256, isqrt(value << 8), value, root, value * value >> 8, root * value >> 8, cube >> 16][halves]


def _counted(text: str) -> dict[tuple[str, str], int]:
    words, pairs = tokens(text)
    return {**{(word, "w"): n for word, n in words.items()}, **{(pair, "c"): n for pair, n in pairs.items()}}


def _saturated(n: int, k: int) -> int:
    return n * (256 + k) * 256 // (256 * n + k)


def _parts(word: str, kind: str, definition: Mapping[str, Any]) -> list[tuple[str, int]]:
    own, prefix, gram = definition["word"], definition["prefix"], definition["gram"]
    if kind == "c":
        return [(f"w:{word}", own), *((f"g:{letter}", gram) for letter in word)]
    length = definition["prefix_length"]
    parts = [(f"w:{word}", own)]
    if len(word) >= length:
        parts.append((f"p:{word[:length]}", prefix))
    if len(word) >= 3:
        edged = f" {word} "
        parts += [(f"g:{edged[i : i + 3]}", gram) for i in range(len(word))]
    return parts


def _words(raw: Mapping[tuple[str, str], int], definition: Mapping[str, Any], bits: int) -> Sum:
    parts = {word: _parts(*word, definition) for word in raw}
    norm = isqrt(sum(raw[word] ** 2 * part**2 for word in raw for _, part in parts[word]))
    summed: dict[str, int] = {}
    for word, value in raw.items():
        weight = max(1, (2 * _UNIT * value + norm) // (2 * norm))
        for name, part in parts[word]:
            summed[name] = summed.get(name, 0) + weight * part
    total = np.zeros(bits, np.int64)
    for name, weight in summed.items():
        total += weight * _signed(symbol_of(name, bits))
    return total


def _meaning(embedding: NDArray[np.int8], seed: str, bits: int) -> Sum:
    values = [int(value) for value in embedding]
    norm = isqrt(sum(value * value for value in values))
    total = np.zeros(bits, np.int64)
    for j, value in enumerate(values):
        size = (2 * _UNIT * abs(value) + norm) // (2 * norm)
        total += (size if value > 0 else -size) * _signed(random_hypervector(f"{seed}:{j}", bits))
    return total


def _role(role: str, values: Sequence[str], definition: Mapping[str, Any], bits: int) -> Sum:
    raw = {word: 1 for value in values for word in _counted(value)}
    bound = np.unpackbits(random_hypervector(f"role:{role}", bits)).astype(bool)
    total = _words(raw, definition, bits) if raw else np.zeros(bits, np.int64)
    # XOR with a component of 1 turns a vector's component round.
    total[bound] *= -1
    return total


@lru_cache(maxsize=100_000)
def symbol_of(name: str, bits: int) -> Hypervectors:
    """Return a symbol's hypervector, from a cache."""
    return symbol(name, bits)


def _signed(vector: Hypervectors) -> Sum:
    return 2 * np.unpackbits(vector).astype(np.int64) - 1


def _signs(total: Sum, bits: int) -> Hypervectors:
    tie = np.unpackbits(tie_hypervector(bits)).astype(bool)
    return np.packbits((total > 0) | ((total == 0) & tie))
