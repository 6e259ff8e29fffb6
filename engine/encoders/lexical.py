"""The built-in encoder: the words of a text and their parts, bundled; no model, no state, the same in SQL."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import isqrt
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engine.encoders.symbols import SymbolTable
from engine.encoders.text import check_text, tokens
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors, bundle
from engine.hypervector.algebra import check_bits

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
        self._symbols = SymbolTable(bits, max(2 * _MOST_SYMBOLS, _TABLE_BYTES // (bits // 8)))
        self._lock = Lock()

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
        with self._lock:
            rows = self._symbols.rows(names)
        bundled = bundle(rows, weights)
        assert bundled is not None
        return bundled

    def _count(self, names: list[str], weights: NDArray[np.int64]) -> Hypervectors:
        ones = np.zeros(self.bits, np.int64)
        for start in range(0, len(names), _TILE):
            tile = np.unpackbits(self._symbols.make(names[start : start + _TILE]), axis=1).astype(np.float32)
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
