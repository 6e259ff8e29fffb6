"""The integers of a composite: its definition, the statistics it uses, the weights of words and components.

Each is what the function of the same name in `sql/functions/encoding` makes, number for number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.encoders.text import tokens

_LEAST_IDF = 32
UNIT = 1_024
"""The length of the sum of a text's words, and of an embedding."""
WHOLE = 256
"""A memory's own share in its composite; those of its neighbours stand beside it."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The definition of a composite; `mnemo.encoding` says what each part does. Weights are in 1/256."""

    embedding: int
    words: int
    query_embedding: int
    query_words: int
    query_roles: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    roles: Mapping[str, int]
    word: int
    prefix: int
    prefix_length: int
    gram: int
    saturation: int
    document_idf: int
    query_idf: int
    context_sample: int

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        """Return the definition that `mnemo.collection.encoding` holds, which is complete."""
        query = definition["query"]
        plain = ("embedding", "words", "word", "prefix", "prefix_length", "gram", "saturation")
        return cls(
            **{name: int(definition[name]) for name in plain},
            query_embedding=int(query["embedding"]),
            query_words=int(query["words"]),
            query_roles=int(query["roles"]),
            before=tuple(map(int, definition["before"])),
            after=tuple(map(int, definition["after"])),
            roles={role: int(weight) for role, weight in definition["roles"].items()},
            document_idf=int(definition["document_idf"]),
            query_idf=int(definition["query_idf"]),
            context_sample=int(definition["context_sample"]),
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many memories there are, and how many of them hold each word; see `mnemo.term_counts`."""

    memories: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Words:
    """The different words of a text and how often each comes; the last `pairs` are pairs of characters."""

    terms: tuple[str, ...]
    times: tuple[int, ...]
    pairs: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Cut a text into words as `mnemo.tokens` does; nothing but space has none."""
        words, pairs = tokens(text)
        return cls((*words, *pairs), (*words.values(), *pairs.values()), len(pairs))

    @classmethod
    def union(cls, texts: Sequence[Self]) -> Self:
        """Return the different words of all of them, each once."""
        words = dict.fromkeys(term for text in texts for term in text.terms[: len(text.terms) - text.pairs])
        pairs = dict.fromkeys(term for text in texts for term in text.terms[len(text.terms) - text.pairs :])
        return cls((*words, *pairs), (1,) * (len(words) + len(pairs)), len(pairs))

    @property
    def count(self) -> int:
        """How many words there are in all."""
        return sum(self.times)


def log2(x: Integers) -> Integers:
    """Return the base-2 logarithms of positive integers in 1/256, linear between powers of two."""
    return (x.astype(np.float64).view(np.int64) >> 44) - 261_888


def idf(memories: int, holding: Integers) -> Integers:
    """Return how telling words are that so many of the memories hold, in 1/256 octaves, at least 32."""
    every = log2(np.array([2 * memories + 2], np.int64))
    values: Integers = np.maximum(_LEAST_IDF, every - log2(2 * np.minimum(holding, memories) + 1))
    return values


def half_power(values: Integers, halves: int) -> Integers:
    """Return values in 1/256 to the power halves / 2, from 0 to 6, in 1/256."""
    whole = (values * 0 + 256, values, values * values >> 8, values * values * values >> 16)[halves // 2]
    if halves % 2 == 0:
        return whole
    if halves == 1:
        return np.floor(np.sqrt((values << 8).astype(np.float64))).astype(np.int64)
    root = np.floor(np.sqrt((values * values * values >> 8).astype(np.float64))).astype(np.int64)
    return root if halves == 3 else root * values >> 8


def word_squares(texts: Sequence[Words], encoding: Encoding) -> Integers:
    """Return the squared lengths of the hypervectors of all words of some texts, one text after the other."""
    sizes = np.array([len(term) for text in texts for term in text.terms], np.int64)
    pairs = np.repeat(
        np.array([False, True] * len(texts)),
        [n for text in texts for n in (len(text.terms) - text.pairs, text.pairs)],
    )
    own, prefix, gram = encoding.word**2, encoding.prefix**2, encoding.gram**2
    begins = (sizes >= encoding.prefix_length) & ~pairs
    squares: Integers = own + prefix * begins + gram * sizes * (pairs | (sizes >= 3))
    return squares


def weigh(raw: Integers, squares: Integers, sizes: Sequence[int]) -> Integers:
    """Scale the weights of the words of each text, `sizes` of them, so that their sum has the length 1024."""
    weights = np.empty_like(raw)
    peak = int(raw.max(initial=0)) ** 2 * int(squares.max(initial=0)) * max(sizes, default=0)
    exact = raw * raw * squares if peak < 1 << 63 else raw.astype(object) ** 2 * squares
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        if size:
            # Weights of zero only, of words that all memories hold, have the length 0.
            norm = max(1, isqrt(int(exact[part].sum())))
            weights[part] = (2 * UNIT * raw[part] + norm) // (2 * norm)
        start += size
    return np.maximum(1, weights, out=weights)


def memory_weights(texts: Sequence[Words], statistics: Statistics, encoding: Encoding) -> list[Integers]:
    """Return the weights of the words of each text as part of a memory."""
    counts = statistics.counts
    times = np.array([n for text in texts for n in text.times], np.int64)
    holding = np.array([counts.get(term, 0) for text in texts for term in text.terms], np.int64)
    k = encoding.saturation
    saturated = times * (256 + k) * 256 // (256 * times + k)
    raw = saturated * half_power(idf(statistics.memories, holding), encoding.document_idf)
    return _weighed(texts, raw, encoding)


def query_weights(
    text: Words, statistics: Statistics, local: Statistics | None, encoding: Encoding
) -> Integers:
    """Return the weights of the words of a query; `local`: what is known of the context it is asked in."""
    known = [statistics] if local is None else [statistics, local]
    values = [
        idf(each.memories, np.array([each.counts.get(term, 0) for term in text.terms], np.int64))
        for each in known
    ]
    rarity = np.minimum.reduce(values)
    # Of a word that no memory holds only its parts can be found.
    held = np.array([statistics.counts.get(term, 0) > 0 for term in text.terms], np.bool_)
    rarity = np.where(held, rarity, np.maximum(_LEAST_IDF, rarity // 2))
    raw = half_power(rarity, encoding.query_idf)
    return _weighed([text], raw, encoding)[0]


def role_weights(text: Words, encoding: Encoding) -> Integers:
    """Return the weights of the words of a role's values: all alike."""
    return _weighed([text], np.ones(len(text.terms), np.int64), encoding)[0]


def _weighed(texts: Sequence[Words], raw: Integers, encoding: Encoding) -> list[Integers]:
    sizes = [len(text.terms) for text in texts]
    weights = weigh(raw, word_squares(texts, encoding), sizes)
    ends = np.cumsum(sizes)
    return [weights[end - size : end] for end, size in zip(ends.tolist(), sizes, strict=True)]


def embedding_weights(quantised: NDArray[np.int8]) -> Integers:
    """Scale int8[n, d] to the length 1024 each: sign(q) round(1024 |q| / sqrt(sum q^2)), int64[n, d]."""
    values = quantised.astype(np.int64)
    norms = np.floor(np.sqrt((values * values).sum(axis=1).astype(np.float64))).astype(np.int64)[:, None]
    scaled: Integers = np.sign(values) * ((2 * UNIT * np.abs(values) + norms) // (2 * norms))
    return scaled
