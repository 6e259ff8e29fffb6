"""Composites of one conversation from parts that are made once: words, meaning and roles, for many encodings.

By the definition, with code of its own: the signs of the same integers that `CompositeEncoder` adds up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.symbols import SymbolTable
from engine.encoders.weights import (
    WHOLE,
    Encoding,
    Integers,
    Statistics,
    Words,
    embedding_weights,
    memory_weights,
    query_weights,
    role_weights,
)
from engine.hypervector import quantise, random_hypervector, tie_hypervector
from engine.hypervector.projection import sign_columns
from tests.benchmarks.conversations import SEED, Conversations

PIECE = 2_048
"""Distances are counted in pieces of this many components; a hypervector is so many of them in a row."""

Floats = NDArray[np.float32]
Lines = list[tuple[NDArray[np.intp], Floats]]


@dataclass(frozen=True)
class Pieces:
    """Distances uint16[encodings, sides, questions, turns, pieces]; sides: at write, consolidated."""

    turns: NDArray[np.intp]
    questions: NDArray[np.intp]
    distances: NDArray[np.uint16]

    def of(self, bits: int) -> Iterator[NDArray[np.int64]]:
        """Yield distances [encodings, sides, questions, turns], each of other components, so many."""
        count = bits // PIECE
        for first in range(0, self.distances.shape[-1], count):
            yield self.distances[..., first : first + count].sum(axis=-1, dtype=np.int64)


class Parts:
    """The words, embeddings and roles of a conversation and its questions."""

    def __init__(self, data: Conversations, name: str, statistics: Statistics) -> None:
        self.turns = data.places[name]
        self.questions = data.asked_in[name]
        self._statistics = statistics
        self._data = data
        self._asked = [data.questions[place] for place in self.questions]
        self._texts = [data.words[place] for place in self.turns]
        self._queries = [Words.of(asked.text) for asked in self._asked]
        self._sessions = np.array(["\n".join(data.sessions[place]) for place in self.turns])
        self._meaning = embedding_weights(np.stack([data.quantised[place] for place in self.turns]))
        self._query_meaning = embedding_weights(
            quantise(np.stack([asked.embedding for asked in self._asked]))
        )
        terms = dict.fromkeys(t for words in (*self._texts, *self._queries) for t in words.terms)
        self._place = {term: place for place, term in enumerate(terms)}
        if any(words.pairs for words in (*self._texts, *self._queries)):
            raise ValueError("pairs of characters are not made here")

    def measure(self, hows: Sequence[Encoding], *, bits: int, seed: str = SEED) -> Pieces:
        """Encode with every encoding, and compare questions and turns in all components."""
        shape = (len(hows), 2, len(self.questions), len(self.turns), bits // PIECE)
        distances = np.empty(shape, np.uint16)
        makers = [self._maker(how) for how in hows]
        symbols = SymbolTable(bits, 1_024)
        tie = 2 * np.unpackbits(tie_hypervector(bits)).astype(np.float32) - 1
        bound = 1 - 2 * np.unpackbits(random_hypervector("role:speaker", bits)).astype(np.float32)
        tables: dict[tuple[str, int], _Packed] = {}
        for piece in range(bits // PIECE):
            left, right = piece * PIECE, (piece + 1) * PIECE
            signs = sign_columns(seed, self._meaning.shape[1], bits, left, right)
            tile = _Tile(
                left // 8, right // 8, symbols, tables, list(self._place),
                (self._meaning.astype(np.float32) @ signs, self._query_meaning.astype(np.float32) @ signs),
                bound[left:right], {}, {},
            )  # fmt: skip
            for at, make in enumerate(makers):
                # Never zero: of whole numbers, and where they are, the tie decides.
                written, consolidated, query = (
                    np.copysign(np.float32(1), 2 * total + tie[left:right]) for total in make(tile)
                )
                for side, turns in enumerate((written, consolidated)):
                    distances[at, side, ..., piece] = (PIECE - query @ turns.T) / 2
        return Pieces(self.turns, self.questions, distances)

    def _maker(self, how: Encoding) -> "Callable[[_Tile], tuple[Floats, Floats, Floats]]":
        """Return what sums up one piece: of the turns at write and consolidated, and of the questions."""
        unit = max(1, gcd(how.words, how.embedding, *how.roles.values()))
        words, embedding = how.words // unit, how.embedding // unit
        role = how.roles.get("speaker", 0)
        scaled = role * how.query_roles // 256
        query_unit = max(1, gcd(how.query_words, how.query_embedding, scaled))
        asked, meant = how.query_words // query_unit, how.query_embedding // query_unit
        shares = gcd(WHOLE, *how.before, *how.after)
        before = [share // shares for share in how.before]
        after = [share // shares for share in how.after]
        texts = _Named(("turns", how.saturation, how.document_idf), self._lines(
            self._texts, memory_weights(self._texts, self._statistics, how)))  # fmt: skip
        queries = _Named(("questions", how.query_idf, how.context_sample), self._lines(
            self._queries, [self._query_weights(at, how) for at in range(len(self._queries))]))  # fmt: skip
        said = _Named(("speakers",), self._values([
            values.get("speaker", []) for values in self._data.roles(how, self.turns)], how))  # fmt: skip
        named = _Named(("named",), self._values([
            self._data.named(each, how).get("speaker", []) for each in self._asked], how))  # fmt: skip

        def make(tile: _Tile) -> tuple[Floats, Floats, Floats]:
            line = words * tile.sums(texts, how) + embedding * tile.meaning[0]
            total = line * np.float32(WHOLE // shares)
            if role:
                total += (role // unit * WHOLE // shares) * (tile.sums(said, how) * tile.bound)
            written = self._beside(total, line, before, -1)
            both = self._beside(written.copy(), line, after, 1)
            query = asked * tile.sums(queries, how) + meant * tile.meaning[1]
            if scaled:
                query += scaled // query_unit * (tile.sums(named, how) * tile.bound)
            return written, both, query

        return make

    def _beside(self, total: Floats, line: Floats, shares: Sequence[int], way: int) -> Floats:
        for distance, share in enumerate(shares, 1):
            first = np.flatnonzero(self._sessions[distance:] == self._sessions[:-distance])
            into, of = (first + distance, first) if way < 0 else (first, first + distance)
            total[into] += np.float32(share) * line[of]
        return total

    def _query_weights(self, at: int, how: Encoding) -> Integers:
        local = self._data.local(self._asked[at], how.context_sample)
        return query_weights(self._queries[at], self._statistics, local, how)

    def _values(self, values: Sequence[Sequence[str]], how: Encoding) -> Lines:
        texts = [Words.union([Words.of(value) for value in each]) for each in values]
        for text in texts:
            for term in text.terms:
                self._place.setdefault(term, len(self._place))
        return self._lines(texts, [role_weights(text, how) for text in texts])

    def _lines(self, texts: Sequence[Words], weights: Sequence[Integers]) -> Lines:
        return [
            (np.array([self._place[term] for term in text.terms], np.intp), weight.astype(np.float32))
            for text, weight in zip(texts, weights, strict=True)
        ]


@dataclass(frozen=True)
class _Named:
    """Lines of words with their weights; the same name stands for the same lines where parts weigh alike."""

    name: tuple[Any, ...]
    lines: Lines


@dataclass(frozen=True)
class _Packed:
    """The symbols of one kind of part: packed hypervectors, and for each word which are its own."""

    symbols: NDArray[np.uint8]
    words: NDArray[np.intp]
    which: NDArray[np.intp]


@dataclass(frozen=True)
class _Tile:
    """One piece of everything; what encodings share is made once."""

    left: int
    right: int
    symbols: SymbolTable
    tables: dict[tuple[str, int], _Packed]
    terms: list[str]
    meaning: tuple[Floats, Floats]
    bound: Floats
    words: dict[tuple[int, ...], Floats]
    known: dict[tuple[Any, ...], Floats]

    def sums(self, texts: _Named, how: Encoding) -> Floats:
        """Return float32[lines, PIECE]: the weighted sums of the words of lines."""
        parts = (how.word, how.prefix, how.prefix_length, how.gram)
        key = (parts, *texts.name)
        if key not in self.known:
            table = self._table(how, parts)
            made = np.zeros((len(texts.lines), table.shape[1]), np.float32)
            for row, (places, weights) in enumerate(texts.lines):
                if len(places):
                    made[row] = weights @ table[places]
            self.known[key] = made
        return self.known[key]

    def _table(self, how: Encoding, parts: tuple[int, ...]) -> Floats:
        if parts not in self.words:
            table = how.word * self._part("w", 0)
            if how.prefix:
                table += how.prefix * self._part("p", how.prefix_length)
            if how.gram:
                table += how.gram * self._part("g", 0)
            self.words[parts] = table
        return self.words[parts]

    def _part(self, kind: str, length: int) -> Floats:
        if (kind, length) not in self.tables:
            self.tables[kind, length] = _packed(self.symbols, kind, length, self.terms)
        packed = self.tables[kind, length]
        signs = 2 * np.unpackbits(packed.symbols[:, self.left : self.right], axis=1).astype(np.float32) - 1
        made = np.zeros((len(self.terms), signs.shape[1]), np.float32)
        starts = np.searchsorted(packed.words, np.arange(len(self.terms) + 1))
        for word, (start, stop) in enumerate(pairwise(starts)):
            if stop > start:
                made[word] = signs[packed.which[start:stop]].sum(axis=0)
        return made


def _packed(symbols: SymbolTable, kind: str, length: int, terms: Sequence[str]) -> _Packed:
    known: dict[str, int] = {}
    words, which = [], []
    for place, term in enumerate(terms):
        padded = f" {term} "
        parts = {
            "w": [term],
            "p": [term[:length]] if len(term) >= length else [],
            "g": [padded[at : at + 3] for at in range(len(term))] if len(term) >= 3 else [],
        }[kind]
        for part in parts:
            words.append(place)
            which.append(known.setdefault(f"{kind}:{part}", len(known)))
    return _Packed(symbols.make(list(known)), np.array(words, np.intp), np.array(which, np.intp))
