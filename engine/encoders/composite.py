"""The composite encoder: meaning, words, neighbours and roles in one sum, its signs taken once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from math import gcd
from os import cpu_count
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.products import Floats, multiply, signs
from engine.encoders.vocabulary import TILE, Vocabulary
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
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors, random_hypervector, tie_hypervector
from engine.hypervector.algebra import check_bits

# Up to here float32 holds every integer, so a sum of integers is exact in any order.
_EXACT = 1 << 24
_BLOCK = 48
# Lines whose words are multiplied at once, and words at a time.
_GROUP = 4
_WORDS = 256
_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Composite:
    """One memory to encode: the texts of the batch that count in it as (place, share in 1/256), itself 256.

    `roles`: the values that it has in each role.
    """

    members: Sequence[tuple[int, int]]
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts with their embeddings, int8[d] as `quantise` makes them or None, and what to encode of them."""

    texts: Sequence[Words]
    embeddings: Sequence[NDArray[np.int8] | None]
    wanted: Sequence[Composite]
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class _Line:
    """A part of sums: words by their weights, an embedding; no component of it exceeds `bound`."""

    keys: Sequence[str]
    weights: Integers
    meaning: Integers | None
    bound: int


@dataclass(frozen=True, slots=True)
class _Group:
    """The words of some lines: their slots in the vocabulary, and weights[lines, slots]."""

    lines: NDArray[np.intp]
    slots: NDArray[np.intp]
    weights: Floats

    def times(self, table: NDArray[np.uint8 | np.uint16]) -> Floats:
        """Return weights times the rows of one tile, [lines, width]."""
        width = table.shape[1]
        piece = gcd(width, _WIDTH)
        product = np.empty((len(self.lines), width), self.weights.dtype)
        vectors = np.empty((width // piece, len(self.slots), piece), product.dtype)
        rows = table.take(self.slots, axis=0)
        np.copyto(vectors, rows.reshape(len(rows), -1, piece).transpose(1, 0, 2))
        multiply(self.weights, vectors, product)
        return product


# What a sum adds up: lines, how often each, and the role it is bound with.
_Sum = list[tuple[int, int, str]]


class _Roles:
    """Adds a line for the values of a role where they first come."""

    def __init__(
        self,
        lines: list[_Line],
        make: Callable[[Words, Integers, None], _Line],
        encoding: Encoding,
        weights: Mapping[str, int],
    ) -> None:
        self._lines = lines
        self._make = make
        self._encoding = encoding
        self._weights = weights
        self._known: dict[tuple[str, ...], int] = {}

    def terms(self, roles: Mapping[str, Sequence[str]], share: int) -> _Sum:
        """Return what the values of roles add to a sum."""
        found: _Sum = []
        for role, values in roles.items():
            weight = self._weights.get(role, 0)
            key = (role, *values)
            if weight and key not in self._known:
                text = Words.union([Words.of(value) for value in values])
                self._known[key] = len(self._lines)
                self._lines.append(self._make(text, role_weights(text, self._encoding) * weight, None))
            if weight:
                found.append((self._known[key], share, role))
        return found


class CompositeEncoder:
    """Memories and queries to hypervectors, bit for bit what `mnemo.encode_members` and `encode_query` make.

    `seed` is that of the projection of embeddings. Keeps the hypervectors of words it met, at most 64 MiB,
    and works in tiles. Threads may share one; they take turns.
    """

    name = "composite"
    version = 1
    dimension = None

    def __init__(self, encoding: Encoding, seed: str = "mnemo:projection", bits: int = 16_384) -> None:
        self.encoding = encoding
        self.seed = seed
        self.bits = check_bits(bits)
        self._vocabulary = Vocabulary(bits, encoding)
        self._against = -np.unpackbits(tie_hypervector(bits)).astype(np.float32)
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(cpu_count() or 1, "mnemo-encode")

    def encode(self, batch: Batch, /) -> Hypervectors:
        """Return `uint8[n, D / 8]` for the n composites wanted.

        Raises InvalidArgument, naming the row, where there is nothing in a composite.
        """
        how = self.encoding
        unit = gcd(how.words, how.embedding, *how.roles.values())
        weights = memory_weights(batch.texts, batch.statistics, how)
        meanings = _meanings(batch.embeddings, how.embedding // unit)
        lines = [
            self._line(text, weight * (how.words // unit), meaning)
            for text, weight, meaning in zip(batch.texts, weights, meanings, strict=True)
        ]
        roles = _Roles(lines, self._line, how, {role: weight // unit for role, weight in how.roles.items()})
        sums = [
            [(place, share, "") for place, share in each.members if share] + roles.terms(each.roles, WHOLE)
            for each in batch.wanted
        ]
        return self._signs(lines, sums)

    def encode_query(
        self,
        words: Words,
        statistics: Statistics,
        *,
        local: Statistics | None = None,
        embedding: NDArray[np.int8] | None = None,
        roles: Mapping[str, Sequence[str]] | None = None,
    ) -> Hypervectors:
        """Return `uint8[D / 8]` of a question: its words, its embedding int8[d] and the values of roles.

        `local` is what is known of the words in the context asked in. Raises InvalidArgument where there is
        nothing to encode.
        """
        how = self.encoding
        scaled = {role: weight * how.query_roles // 256 for role, weight in how.roles.items()}
        unit = gcd(how.query_words, how.query_embedding, *scaled.values())
        weights = query_weights(words, statistics, local, how) * (how.query_words // unit)
        (meaning,) = _meanings([embedding], how.query_embedding // unit)
        lines = [self._line(words, weights, meaning)]
        terms = _Roles(lines, self._line, how, {role: weight // unit for role, weight in scaled.items()})
        hdv: Hypervectors = self._signs(lines, [[(0, 1, ""), *terms.terms(roles or {}, 1)]])[0]
        return hdv

    def _line(self, text: Words, weights: Integers, meaning: Integers | None) -> _Line:
        # Twice, for what is summed first are ones and zeros; see Vocabulary.
        bound = 2 * self._vocabulary.greatest(text) * int(weights.sum())
        if meaning is not None:
            bound += int(np.abs(meaning).sum())
        return _Line(self._vocabulary.keys(text), weights, meaning, bound)

    def _signs(self, lines: list[_Line], sums: list[_Sum]) -> Hypervectors:
        for row, parts in enumerate(sums):
            if not any(lines[line].bound for line, _, _ in parts):
                raise InvalidArgument(
                    f"nothing to encode in row {row}: its text is empty or nothing but space"
                )
        made = np.empty((len(sums), self.bits // 8), np.uint8)
        share = gcd(*(share for parts in sums for _, share, _ in parts))
        for rows, used in self._blocks(lines, sums):
            places = {line: at for at, line in enumerate(used)}
            block = [[(places[line], part // share, role) for line, part, role in sums[row]] for row in rows]
            with self._lock:
                made[rows] = self._block([lines[line] for line in used], block)
        return made

    def _blocks(self, lines: list[_Line], sums: list[_Sum]) -> Iterator[tuple[list[int], list[int]]]:
        """Yield rows of sums whose words the vocabulary holds at once, and the lines they need."""
        rows: list[int] = []
        used: dict[int, None] = {}
        words = 0
        # Neighbours of the same memories come together, so that few lines are made twice.
        for row in sorted(range(len(sums)), key=lambda row: sums[row][0][0]):
            needed = {line: None for line, _, _ in sums[row]}
            size = sum(len(lines[line].keys) for line in needed if line not in used)
            if rows and (len(rows) == _BLOCK or words + size > self._vocabulary.capacity):
                yield rows, list(used)
                rows, used, words = [], {}, 0
                size = sum(len(lines[line].keys) for line in needed)
            rows.append(row)
            used.update(needed)
            words += size
        if rows:
            yield rows, list(used)

    def _block(self, lines: list[_Line], sums: list[_Sum]) -> Hypervectors:
        exact = max(line.bound for line in lines) < _EXACT
        kind: Any = np.float32 if exact else np.float64
        groups, totals = self._groups(lines, kind)
        embedded = [at for at, line in enumerate(lines) if line.meaning is not None]
        meanings = np.array([lines[at].meaning for at in embedded], kind)
        long = {
            at: self._vocabulary.long_text(line.keys, line.weights)
            for at, line in enumerate(lines)
            if len(line.keys) > self._vocabulary.longest
        }
        reach = max(sum(share * lines[line].bound for line, share, _ in parts) for parts in sums)
        whole: Any = kind if reach < _EXACT else np.int32 if reach < 1 << 31 else np.int64
        terms = _terms(sums, whole)
        bound = {
            role: 1 - 2 * np.unpackbits(random_hypervector("role:" + role, self.bits)).astype(whole)
            for role in {role for parts in sums for _, _, role in parts if role}
        }
        against = self._against.astype(whole)
        made = np.empty((len(sums), self.bits // 8), np.uint8)
        if embedded:
            # Made once, not by each thread.
            signs(self.seed, meanings.shape[1], self.bits, 0, TILE)

        def work(left: int) -> None:
            right = min(left + TILE, self.bits)
            line = np.zeros((len(lines), right - left), kind)
            if embedded:
                product = np.empty((len(embedded), right - left), kind)
                multiply(meanings, signs(self.seed, meanings.shape[1], self.bits, left, right), product)
                line[embedded] = product
            for group in groups:
                line[group.lines] += group.times(self._vocabulary.tile(left // TILE))
            line -= totals[:, None]
            for at, row in long.items():
                line[at] += row[left:right]
            counted = line.astype(whole, copy=False)
            total = np.zeros((len(sums), right - left), whole)
            for rows, places, shares, roles in terms:
                part = counted[places]
                part *= shares
                for at, role in roles:
                    part[at] *= bound[role][left:right]
                total[rows] += part
            made[:, left // 8 : right // 8] = np.packbits(total > against[left:right], axis=1)

        for _ in self._threads.map(work, range(0, self.bits, TILE)):
            pass
        return made

    def _groups(self, lines: list[_Line], kind: Any) -> tuple[list[_Group], Floats]:
        """Gather the words of lines that are not long; return also what to take from the sum of each line."""
        short = [at for at, line in enumerate(lines) if 0 < len(line.keys) <= self._vocabulary.longest]
        places, totals = self._vocabulary.slots([key for at in short for key in lines[at].keys])
        taken = np.zeros(len(lines), kind)
        groups = []
        start = 0
        for first in range(0, len(short), _GROUP):
            chosen = np.array(short[first : first + _GROUP], np.intp)
            sizes = [len(lines[at].keys) for at in chosen]
            part = slice(start, start + sum(sizes))
            start = part.stop
            slots, columns = np.unique(places[part], return_inverse=True)
            rows = np.repeat(np.arange(len(chosen)), sizes)
            counted = np.concatenate([lines[at].weights for at in chosen])
            weights = np.zeros((len(chosen), len(slots)), kind)
            weights[rows, columns] = 2 * counted
            np.add.at(taken, chosen[rows], counted * totals[part])
            groups += [
                _Group(chosen, slots[at : at + _WORDS], weights[:, at : at + _WORDS])
                for at in range(0, len(slots), _WORDS)
            ]
        return groups, taken


def _terms(
    sums: list[_Sum], kind: Any
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any], list[tuple[int, str]]]]:
    """Return the first terms of all sums, then the second ones, and so on: rows, lines, shares and roles."""
    terms = []
    for each in zip_longest(*sums):
        there = [(row, *term) for row, term in enumerate(each) if term is not None]
        rows, places, shares, roles = zip(*there, strict=True)
        terms.append(
            (
                np.array(rows, np.intp),
                np.array(places, np.intp),
                np.array(shares, kind)[:, None],
                [(at, role) for at, role in enumerate(roles) if role],
            )
        )
    return terms


def _meanings(embeddings: Sequence[NDArray[np.int8] | None], weight: int) -> list[Integers | None]:
    given = [quantised for quantised in embeddings if quantised is not None]
    if not given or not weight:
        return [None] * len(embeddings)
    made = iter(embedding_weights(np.stack(given)) * weight)
    return [None if quantised is None else next(made) for quantised in embeddings]
