"""The built-in encoder: the words of a text and their parts, bundled; no model, no state, the same in SQL."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from math import isqrt
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engine.encoders.text import check_text, tokens
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors, bundle, random_hypervector
from engine.hypervector.algebra import check_bits

_ROOTS = 4
_TABLE_BYTES = 64 << 20
# Longer texts are summed component by component, in tiles: slower by the symbol, but in bounded memory.
_MOST_SYMBOLS = 4_096
_TILE = 512


class LexicalEncoder:
    """Texts to hypervectors, bit for bit what `mnemo.encode_lexical` makes; its header is the definition.

    Keeps the hypervectors of the symbols it met, at most 64 MiB. Threads may share one.
    """

    name = "lexical"
    version = 1
    dimension = None

    def __init__(self, bits: int = 16_384) -> None:
        self.bits = check_bits(bits)
        roots = (random_hypervector(f"mnemo:lexical:{self.version}:{k}", bits) for k in range(_ROOTS))
        self._windows = [
            np.lib.stride_tricks.sliding_window_view(np.concatenate([root, root]), bits // 8)
            for root in roots
        ]
        capacity = max(2 * _MOST_SYMBOLS, _TABLE_BYTES // (bits // 8))
        self._lock = Lock()
        self._known: dict[str, int] = {}
        self._table = np.empty((capacity, bits // 8), np.uint8)

    def encode(self, batch: Sequence[str], /) -> Hypervectors:
        """Return `uint8[n, D / 8]` for n texts.

        Raises InvalidArgument, naming the row, where a text is empty or nothing but space, or holds a NUL or
        a lone surrogate.
        """
        encoded = np.empty((len(batch), self.bits // 8), np.uint8)
        for row, text in enumerate(batch):
            weighted = symbols(check_text(text, row))
            if not weighted:
                raise InvalidArgument(f"invalid text in row {row}: it is empty or nothing but space")
            weights = np.fromiter(weighted.values(), np.int64, len(weighted))
            encoded[row] = self._bundle(list(weighted), weights)
        return encoded

    def _bundle(self, names: list[str], weights: NDArray[np.int64]) -> Hypervectors:
        if len(names) > _MOST_SYMBOLS:
            return self._count(names, weights)
        bundled = bundle(self._rows(names), weights)
        assert bundled is not None
        return bundled

    def _rows(self, names: list[str]) -> Hypervectors:
        with self._lock:
            known = self._known
            if len(known) + len(names) > len(self._table):
                known.clear()
            new = [name for name in names if name not in known]
            if new:
                start, stop = len(known), len(known) + len(new)
                # The table first: an interrupt between the two must not leave a name without its vector.
                self._table[start:stop] = self._symbols(new)
                known.update(zip(new, range(start, stop), strict=True))
            rows = [known[name] for name in names]
            return self._table.take(rows, axis=0)

    def _symbols(self, names: list[str]) -> Hypervectors:
        digests = np.frombuffer(b"".join(sha256(name.encode()).digest() for name in names), np.uint8)
        parts = digests.reshape(-1, 32)[:, : 3 * _ROOTS].reshape(-1, _ROOTS, 3).astype(np.intp)
        offsets = ((parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2]) % (self.bits // 8)
        made: Hypervectors = self._windows[0][offsets[:, 0]]
        for k in range(1, _ROOTS):
            made ^= self._windows[k][offsets[:, k]]
        return made

    def _count(self, names: list[str], weights: NDArray[np.int64]) -> Hypervectors:
        ones = np.zeros(self.bits, np.int64)
        for start in range(0, len(names), _TILE):
            tile = np.unpackbits(self._symbols(names[start : start + _TILE]), axis=1).astype(np.float32)
            # A tile's sum stays far below 2^24, so float32 holds it exactly, and is a matrix product.
            ones += (weights[start : start + _TILE].astype(np.float32) @ tile).astype(np.int64)
        return np.packbits(2 * ones > weights.sum())


def symbols(text: str) -> dict[str, int]:
    """Return what is bundled for a text, and the weight of each: see `mnemo.lexical_symbols`."""
    words, pairs = tokens(text)
    if not words and not pairs:
        return {}
    parts: Counter[str] = Counter()
    weighted: dict[str, int] = {}
    for word, count in words.items():
        name, size, inside = _word(word)
        damped = isqrt(4 * count)
        weighted[name] = size * damped
        for part in inside:
            parts[part] += count
    for pair, count in pairs.items():
        weighted["w:" + pair] = min(len(pair.encode()), 3) * isqrt(4 * count)
        for letter in pair:
            parts["g:" + letter] += count
    for part, count in parts.items():
        weighted[part] = isqrt(4 * count)
    if sum(weighted.values()) % 2 == 0:
        weighted["t:" + min([*words, *pairs])] = 1
    return weighted


@lru_cache(maxsize=65_536)
def _word(word: str) -> tuple[str, int, tuple[str, ...]]:
    """Return the word's symbol, the bytes that count for its weight, and the symbols of its parts."""
    padded = f" {word} "
    inside = tuple("g:" + padded[i : i + 3] for i in range(len(word))) if len(word) >= 3 else ()
    return "w:" + word, min(len(word.encode()), 3), inside
