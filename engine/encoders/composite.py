"""The composite encoder: meaning, words, neighbours and roles in one sum, its signs taken once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from math import gcd, isqrt
from os import cpu_count
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.products import Floats, multiply, signs
from engine.encoders.vocabulary import TILE, WORDS, Vocabulary, WordGroup, grouped
from engine.encoders.weights import (
    UNIT,
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
_BLOCK = 96
# Lines whose words are multiplied at once.
_GROUP = 4


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
    """A part of sums: words by their weights and an embedding, or a role; no component exceeds `bound`.

    `scale` is what the embedding weighs.
    """

    keys: Sequence[str]
    weights: Integers
    meaning: NDArray[np.int8] | None
    scale: int
    role: str
    bound: int


@dataclass(frozen=True, slots=True)
class _Running:
    """A block under way: which sums it makes, where to, and how many words they have."""

    rows: list[int]
    part: Hypervectors
    tiles: Sequence[Future[None]]
    words: int

    def finish(self, made: Hypervectors) -> None:
        """Wait for the block, and put its hypervectors where they belong."""
        for tile in self.tiles:
            tile.result()
        made[self.rows] = self.part


# What a sum adds up: lines, and how often each.
_Sum = list[tuple[int, int]]


class CompositeEncoder:
    """Memories and queries to hypervectors, bit for bit what `mnemo.encode_members` and `encode_query` make.

    `seed` is that of the projection of embeddings. Keeps the hypervectors of words it met, in `word_bytes`,
    and their symbols in 16 MiB; works in tiles. Threads may share one; they take turns.
    """

    name = "composite"
    version = 1
    dimension = None

    def __init__(
        self,
        encoding: Encoding,
        seed: str = "mnemo:projection",
        bits: int = 16_384,
        word_bytes: int = 128 << 20,
    ) -> None:
        self.encoding = encoding
        self.seed = seed
        self.bits = check_bits(bits)
        self._vocabulary = Vocabulary(bits, encoding, word_bytes)
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
        lines = self._lines(batch.texts, weights, how.words // unit, batch.embeddings, how.embedding // unit)
        roles = {role: weight // unit for role, weight in how.roles.items()}
        known: dict[tuple[str, ...], int] = {}
        sums = [
            [(place, share) for place, share in each.members if share]
            + [(line, WHOLE) for line in self._role_lines(each.roles, roles, lines, known)]
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
        weights = query_weights(words, statistics, local, how)
        lines = self._lines(
            [words], [weights], how.query_words // unit, [embedding], how.query_embedding // unit
        )
        named = self._role_lines(
            roles or {}, {role: weight // unit for role, weight in scaled.items()}, lines, {}
        )
        hdv: Hypervectors = self._signs(lines, [[(0, 1), *((line, 1) for line in named)]])[0]
        return hdv

    def _lines(
        self,
        texts: Sequence[Words],
        weights: Sequence[Integers],
        words: int,
        embeddings: Sequence[NDArray[np.int8] | None],
        embedding: int,
    ) -> list[_Line]:
        """Return a line for each text; `words` and `embedding` are what the two weigh."""
        return [
            self._line(text, each * words, quantised if embedding else None, embedding)
            for text, each, quantised in zip(texts, weights, embeddings, strict=True)
        ]

    def _role_lines(
        self,
        roles: Mapping[str, Sequence[str]],
        weights: Mapping[str, int],
        lines: list[_Line],
        known: dict[tuple[str, ...], int],
    ) -> list[int]:
        """Return the lines of the values of roles, new ones where they come for the first time."""
        found = []
        for role, values in roles.items():
            weight = weights.get(role, 0)
            key = (role, *values)
            if weight and key not in known:
                text = Words.union([Words.of(value) for value in values])
                known[key] = len(lines)
                lines.append(self._line(text, role_weights(text, self.encoding) * weight, role=role))
            if weight:
                found.append(known[key])
        return found

    def _line(
        self,
        text: Words,
        weights: Integers,
        meaning: NDArray[np.int8] | None = None,
        scale: int = 0,
        role: str = "",
    ) -> _Line:
        # Twice, for what is summed first are ones and zeros; see Vocabulary.
        bound = 2 * self._vocabulary.greatest(text) * int(weights.sum())
        if meaning is not None:
            # |q| summed is the root of d times the length at most, which rounding down can halve.
            bound += scale * (2 * UNIT * (isqrt(meaning.size) + 1) + meaning.size)
        return _Line(self._vocabulary.keys(text), weights, meaning, scale, role, bound)

    def _signs(self, lines: list[_Line], sums: list[_Sum]) -> Hypervectors:
        for row, parts in enumerate(sums):
            if not any(lines[line].bound for line, _ in parts):
                raise InvalidArgument(
                    f"nothing to encode in row {row}: its text is empty or nothing but space"
                )
        made = np.empty((len(sums), self.bits // 8), np.uint8)
        whole = gcd(*(share for parts in sums for _, share in parts))
        with self._lock:
            running: list[_Running] = []
            for rows, used in self._blocks(lines, sums):
                places = {line: at for at, line in enumerate(used)}
                block = [[(places[line], share // whole) for line, share in sums[row]] for row in rows]
                chosen = [lines[line] for line in used]
                # The next block is prepared while this one is computed, if the vocabulary holds both.
                words = sum(len(line.keys) for line in chosen)
                if len(running) == 2:
                    running.pop(0).finish(made)
                while running and running[-1].words + words > self._vocabulary.capacity:
                    running.pop(0).finish(made)
                part, work = self._block(chosen, block)
                tiles = [self._threads.submit(work, left) for left in range(0, self.bits, TILE)]
                running.append(_Running(rows, part, tiles, words))
            for each in running:
                each.finish(made)
        return made

    def _blocks(self, lines: list[_Line], sums: list[_Sum]) -> Iterator[tuple[list[int], list[int]]]:
        """Yield rows of sums whose words half the vocabulary holds, and the lines they need."""
        rows: list[int] = []
        used: dict[int, None] = {}
        words = 0
        # Neighbours of the same memories come together, so that few lines are made twice.
        for row in sorted(range(len(sums)), key=lambda row: sums[row][0][0]):
            needed = {line: None for line, _ in sums[row]}
            size = sum(len(lines[line].keys) for line in needed if line not in used)
            if rows and (len(rows) == _BLOCK or words + size > self._vocabulary.capacity // 2):
                yield rows, _embedded_first(lines, used)
                rows, used, words = [], {}, 0
                size = sum(len(lines[line].keys) for line in needed)
            rows.append(row)
            used.update(needed)
            words += size
        if rows:
            yield rows, _embedded_first(lines, used)

    def _block(self, lines: list[_Line], sums: list[_Sum]) -> tuple[Hypervectors, Callable[[int], None]]:
        """Return where the signs will be, and what computes the tile of them that begins at a component."""
        exact = max(line.bound for line in lines) < _EXACT
        kind: Any = np.float32 if exact else np.float64
        long = {
            at: self._long_text(line, kind)
            for at, line in enumerate(lines)
            if len(line.keys) > self._vocabulary.longest
        }
        groups = self._groups(lines, kind)
        meanings = _meanings(lines, kind)
        reach = max(sum(share * lines[line].bound for line, share in parts) for parts in sums)
        whole: Any = kind if reach < _EXACT else np.int32 if reach < 1 << 31 else np.int64
        terms = _terms(sums, whole)
        roles = {
            role: 1 - 2 * np.unpackbits(random_hypervector("role:" + role, self.bits)).astype(kind)
            for role in {line.role for line in lines if line.role}
        }
        bound = {at: roles[line.role] for at, line in enumerate(lines) if line.role}
        against = self._against.astype(whole)
        made = np.empty((len(sums), self.bits // 8), np.uint8)
        if len(meanings):
            # Made once, not by each thread.
            signs(self.seed, meanings.shape[1], self.bits, 0, TILE)

        def work(left: int) -> None:
            right = min(left + TILE, self.bits)
            line = np.empty((len(lines), right - left), kind)
            if len(meanings):
                columns = signs(self.seed, meanings.shape[1], self.bits, left, right)
                multiply(meanings, columns.astype(kind, copy=False), line[: len(meanings)])
            line[len(meanings) :] = 0
            for group in groups:
                group.add(self._vocabulary.tile(left // TILE), line)
            for at, row in long.items():
                line[at] += row[left:right]
            for at, role in bound.items():
                line[at] *= role[left:right]
            counted = line.astype(whole, copy=False)
            total = None
            for places, shares in terms:
                part = counted.take(places, axis=0)
                part *= shares
                total = part if total is None else np.add(total, part, out=total)
            made[:, left // 8 : right // 8] = np.packbits(total > against[left:right], axis=1)

        return made, work

    def _groups(self, lines: list[_Line], kind: Any) -> list[WordGroup]:
        """Gather the words of lines that are not long."""
        short = [at for at, line in enumerate(lines) if 0 < len(line.keys) <= self._vocabulary.longest]
        places, totals = self._vocabulary.slots([key for at in short for key in lines[at].keys])
        groups = []
        start = 0
        for first in range(0, len(short), _GROUP):
            chosen = short[first : first + _GROUP]
            sizes = [len(lines[at].keys) for at in chosen]
            part = slice(start, start + sum(sizes))
            start = part.stop
            weights = np.concatenate([lines[at].weights for at in chosen])
            groups += grouped(chosen, sizes, places[part], weights, totals[part], kind)
        return groups

    def _long_text(self, line: _Line, kind: Any) -> Floats:
        """Return the sum of words that are too many to be held at once."""
        total = np.zeros((1, self.bits), kind)
        for start in range(0, len(line.keys), WORDS):
            part = slice(start, start + WORDS)
            places, totals = self._vocabulary.slots(line.keys[part])
            for group in grouped([0], [len(places)], places, line.weights[part], totals, kind):
                for left in range(0, self.bits, TILE):
                    group.add(self._vocabulary.tile(left // TILE), total[:, left : left + TILE])
        row: Floats = total[0]
        return row


def _meanings(lines: list[_Line], kind: Any) -> Floats:
    """Return the embeddings [n, d] of the lines that have one, scaled."""
    given = [line for line in lines if line.meaning is not None]
    if not given:
        return np.empty((0, 0), kind)
    scaled = embedding_weights(np.stack([line.meaning for line in given if line.meaning is not None]))
    made: Floats = (scaled * given[0].scale).astype(kind)
    return made


def _embedded_first(lines: list[_Line], used: Iterable[int]) -> list[int]:
    return sorted(used, key=lambda line: lines[line].meaning is None)


def _terms(sums: list[_Sum], kind: Any) -> list[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Return the first terms of all sums, then the second ones, and so on: lines and shares, else 0."""
    return [
        (
            np.array([line for line, _ in each], np.intp),
            np.array([share for _, share in each], kind)[:, None],
        )
        for each in zip_longest(*sums, fillvalue=(0, 0))
    ]
