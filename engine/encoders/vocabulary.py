"""The hypervectors of words: weighted sums of the symbols of their parts, kept as counts a byte each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.products import Floats, multiply
from engine.encoders.symbols import SymbolTable
from engine.encoders.weights import Encoding, Integers, Words
from engine.hypervector.algebra import check_bits

TILE = 4_096
WORDS = 256
"""Words of a group, at most."""
_WIDTH = 256
_SYMBOL_BYTES = 16 << 20
_PAIR = "\0"
_NEW = 64


class Vocabulary:
    """Word hypervectors as b of |word| = 2 b - total: a sum of weights where a part's component is 1.

    Kept in tiles of TILE components, the least used of them going first. Not for several threads.
    """

    def __init__(self, bits: int, encoding: Encoding, table_bytes: int) -> None:
        self.bits = check_bits(bits)
        self._encoding = encoding
        self._symbols = SymbolTable(bits, max(1_024, _SYMBOL_BYTES // (bits // 8)))
        kind = np.uint8 if encoding.word + encoding.prefix + 64 * encoding.gram < 256 else np.uint16
        self.capacity = table_bytes // (bits * kind().itemsize)
        self.longest = self.capacity // 8
        """The words of a longer text come in parts."""
        self._tiles = [
            np.empty((self.capacity, min(TILE, bits - left)), kind) for left in range(0, bits, TILE)
        ]
        self._totals = np.zeros(self.capacity, np.int64)
        self._known: dict[str, int] = {}

    @staticmethod
    def keys(text: Words) -> tuple[str, ...]:
        """Return the names of the words of a text here: a pair of characters is not the word of these."""
        words = len(text.terms) - text.pairs
        if not text.pairs:
            return text.terms
        return (*text.terms[:words], *(_PAIR + pair for pair in text.terms[words:]))

    def greatest(self, text: Words) -> int:
        """Return what no component of the hypervector of any word of the text exceeds."""
        how = self._encoding
        return how.word + how.prefix + how.gram * max(map(len, text.terms), default=0)

    def slots(self, keys: Sequence[str]) -> tuple[NDArray[np.intp], Integers]:
        """Return where the words stand in the tiles and the total of each; good for a while.

        There may be `capacity` different ones. Those of the call before keep their places where both calls
        have no more together.
        """
        known = self._known
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        for key in keys:
            if key in known:
                known[key] = known.pop(key)
        for start in range(0, len(missing), _NEW):
            some = missing[start : start + _NEW]
            slots = [
                len(known) + at if len(known) + at < self.capacity else known.pop(next(iter(known)))
                for at in range(len(some))
            ]
            self._fill(slots, some)
            known.update(zip(some, slots, strict=True))
        places = np.array([known[key] for key in keys], np.intp)
        return places, self._totals[places]

    def tile(self, place: int) -> NDArray[np.uint8 | np.uint16]:
        """Return the table of one tile, [capacity, at most TILE]."""
        return self._tiles[place]

    def _fill(self, slots: Sequence[int], keys: Sequence[str]) -> None:
        parts = [self._parts(key) for key in keys]
        vectors = self._symbols.rows([name for each in parts for name, _ in each])
        kind = self._tiles[0].dtype.type
        start = 0
        for slot, each in zip(slots, parts, strict=True):
            bits = np.unpackbits(vectors[start : start + len(each)], axis=1)
            start += len(each)
            inside = 2 if len(each) > 1 and each[1][0][0] == "p" else 1
            # In place: what is allocated anew costs more than what is computed.
            counted = np.multiply(bits[0], each[0][1], dtype=kind)
            if inside == 2:
                counted += np.multiply(bits[1], each[1][1], dtype=kind)
            if inside < len(each):
                letters = np.add.reduce(bits[inside:], axis=0, dtype=kind)
                letters *= kind(each[inside][1])
                counted += letters
            for place, tile in enumerate(self._tiles):
                tile[slot] = counted[place * TILE : (place + 1) * TILE]
            self._totals[slot] = sum(weight for _, weight in each)

    def _parts(self, key: str) -> list[tuple[str, int]]:
        """Return the symbols of a word and their weights: itself, its beginning, its letters in threes."""
        how = self._encoding
        if key[0] == _PAIR:
            pair = key[1:]
            return [("w:" + pair, how.word), *((f"g:{letter}", how.gram) for letter in pair if how.gram)]
        parts = [("w:" + key, how.word)]
        if len(key) >= how.prefix_length and how.prefix:
            parts.append(("p:" + key[: how.prefix_length], how.prefix))
        if len(key) >= 3 and how.gram:
            padded = f" {key} "
            parts += [("g:" + padded[at : at + 3], how.gram) for at in range(len(key))]
        return parts


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Words of some lines: their slots in the vocabulary, weights[lines, slots], and what to take off."""

    lines: NDArray[np.intp]
    slots: NDArray[np.intp]
    weights: Floats
    excess: Floats

    def add(self, table: NDArray[np.uint8 | np.uint16], to: Floats) -> None:
        """Add to [all lines, width] the words of these lines in one tile."""
        width = table.shape[1]
        piece = gcd(width, _WIDTH)
        product = np.empty((len(self.lines), width), self.weights.dtype)
        vectors = np.empty((width // piece, len(self.slots), piece), product.dtype)
        rows = table.take(self.slots, axis=0)
        np.copyto(vectors, rows.reshape(len(rows), -1, piece).transpose(1, 0, 2))
        multiply(self.weights, vectors, product)
        product -= self.excess
        to[self.lines] += product


def grouped(
    lines: Sequence[int],
    sizes: Sequence[int],
    places: NDArray[np.intp],
    weights: Integers,
    totals: Integers,
    kind: Any,
) -> list[WordGroup]:
    """Return the words of lines, `sizes` of each line, in groups that are not too large for `multiply`."""
    slots, columns = np.unique(places, return_inverse=True)
    table = np.zeros((len(lines), len(slots)), np.int64)
    table[np.repeat(np.arange(len(lines)), sizes), columns] = weights
    of_slot = np.zeros(len(slots), np.int64)
    of_slot[columns] = totals
    groups = []
    for some in (slice(at, at + WORDS) for at in range(0, len(slots), WORDS)):
        excess = (table[:, some] @ of_slot[some])[:, None].astype(kind)
        groups.append(
            WordGroup(np.array(lines, np.intp), slots[some], (2 * table[:, some]).astype(kind), excess)
        )
    return groups
