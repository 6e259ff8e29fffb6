"""Recall of composites without encoding any, for hundreds of weights: what these are chosen by.

Cosines of the sums themselves, as hypervectors of endless length would have them; at `BITS` components the
similarity is 2 / pi asin(cosine), with a deviation of 1 / sqrt(BITS) that is added, the same each time.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.weights import (
    WHOLE,
    Encoding,
    Integers,
    Statistics,
    Words,
    memory_weights,
    query_weights,
    role_weights,
)
from tests.benchmarks.conversations import Conversations
from tests.benchmarks.stage import BITS

_DRAWS = 4
_DEPTH = 10
_UNIT = 1_024.0

Floats = NDArray[np.float32]


class Cosines:
    """One conversation and its questions; `recall` gives the mean over draws of the noise."""

    def __init__(self, data: Conversations, name: str, statistics: Statistics, seed: int) -> None:
        self._data = data
        self._statistics = statistics
        self._turns = data.places[name]
        self._asked = [data.questions[place] for place in data.asked_in[name]]
        self._texts = [data.words[place] for place in self._turns]
        self._queries = [Words.of(asked.text) for asked in self._asked]
        meaning = data.embeddings[self._turns]
        meaning /= np.linalg.norm(meaning, axis=1, keepdims=True)
        asked = np.stack([each.embedding for each in self._asked])
        asked /= np.linalg.norm(asked, axis=1, keepdims=True)
        self._meanings = (meaning, asked)
        self._known: dict[tuple[Any, ...], Any] = {}
        sessions = np.array(["\n".join(data.sessions[place]) for place in self._turns])
        self._same = sessions[:, None] == sessions
        shape = (_DRAWS, 2, len(self._asked), len(self._turns))
        self._noise = np.random.default_rng(seed).standard_normal(shape, np.float32) / np.float32(BITS**0.5)
        pairs = [
            (row, int(np.searchsorted(self._turns, place)), 1 / len(each.answers))
            for row, each in enumerate(self._asked)
            for place in each.answers
        ]
        rows, answers, worth = zip(*pairs, strict=True)
        self._rows, self._answers, self._worth = np.array(rows), np.array(answers), np.array(worth)

    @property
    def count(self) -> int:
        """How many questions there are."""
        return len(self._asked)

    def recall(self, how: Encoding) -> NDArray[np.float64]:
        """Return the sums over questions of recall@10 at write and consolidated, float64[2]."""
        found = np.zeros(2)
        for side, cosine in enumerate(self.cosines(how)):
            near = np.arcsin(np.clip(cosine, -1, 1)) * np.float32(2 / np.pi)
            for draw in range(_DRAWS):
                seen = near + self._noise[draw, side]
                above = (seen[self._rows] > seen[self._rows, self._answers][:, None]).sum(axis=1)
                found[side] += self._worth[above < _DEPTH].sum() / _DRAWS
        return found

    def cosines(self, how: Encoding) -> list[Floats]:
        """Return the cosines [questions, turns] at write and consolidated."""
        memory = (how.word, how.prefix, how.prefix_length, how.gram, how.saturation, how.document_idf)
        query = (*memory[:4], how.query_idf, how.context_sample)
        shared, near, asked = self._once(("words", *memory, *query), lambda: self._shared(how))
        meant, meant_near = self._once(("meaning",), self._meaning)
        said, named, spoken = self._once(("speakers", *memory[:4], *how.roles), lambda: self._speakers(how))

        role = how.roles.get("speaker", 0)
        asked_role = role * how.query_roles // 256 * named
        product = how.query_words * how.words * shared + how.query_embedding * how.embedding * meant
        length = how.words**2 * near + how.embedding**2 * meant_near
        query_length = np.sqrt(how.query_words**2 * asked + how.query_embedding**2 + asked_role**2)
        found = []
        for after in ((), how.after):
            mix = self._mix(how.before, after)
            lengths = np.sqrt(((mix @ length) * mix).sum(axis=1) + (role * said) ** 2)
            total = product @ mix.T + role * asked_role[:, None] * spoken
            found.append(total / lengths / query_length[:, None])
        return found

    def _mix(self, before: Sequence[int], after: Sequence[int]) -> Floats:
        mix = np.eye(len(self._turns), dtype=np.float32)
        for way, shares in ((-1, before), (1, after)):
            for distance, share in enumerate(shares, 1):
                mix += np.eye(len(self._turns), k=way * distance, dtype=np.float32) * (share / WHOLE)
        mix *= self._same
        return mix

    def _shared(self, how: Encoding) -> tuple[Floats, Floats, Floats]:
        """Return the products of words: questions with turns, turns with turns, questions with themselves."""
        texts = self._vectors(self._texts, memory_weights(self._texts, self._statistics, how), how)
        queries = self._vectors(self._queries, self._query_weights(how), how)
        return queries @ texts.T, texts @ texts.T, (queries**2).sum(axis=1)

    def _meaning(self) -> tuple[Floats, Floats]:
        texts, queries = self._meanings
        return queries @ texts.T, texts @ texts.T

    def _speakers(self, how: Encoding) -> tuple[Floats, Floats, Floats]:
        """Return whether turns and questions name a speaker, and how alike these are."""
        if "speaker" not in how.roles:
            none = np.float32(0)
            return none, np.zeros(len(self._asked), np.float32), none  # type: ignore[return-value]
        values = [each.get("speaker", []) for each in self._data.roles(how, self._turns)]
        values += [self._data.named(each, how).get("speaker", []) for each in self._asked]
        texts = [Words.union([Words.of(value) for value in each]) for each in values]
        vectors = self._vectors(texts, [role_weights(text, how) for text in texts], how)
        given = np.array([bool(each) for each in values], np.float32)
        turns = len(self._turns)
        return given[:turns], given[turns:], vectors[turns:] @ vectors[:turns].T

    def _query_weights(self, how: Encoding) -> list[Integers]:
        return [
            query_weights(text, self._statistics, self._data.local(asked, how.context_sample), how)
            for text, asked in zip(self._queries, self._asked, strict=True)
        ]

    def _vectors(self, texts: Sequence[Words], weights: Sequence[Integers], how: Encoding) -> Floats:
        """Return the sums of the words of texts, float32[n, symbols], each about as long as 1."""
        symbols = self._once(("symbols", how.prefix_length), lambda: self._symbols(how))
        made = np.zeros((len(texts), len(symbols)), np.float32)
        for row, (text, each) in enumerate(zip(texts, weights, strict=True)):
            for term, weight in zip(text.terms, each.tolist(), strict=True):
                for name, part in _parts(term, how):
                    made[row, symbols[name]] += part * weight / _UNIT
        return made

    def _symbols(self, how: Encoding) -> dict[str, int]:
        texts = [*self._texts, *self._queries, *map(Words.of, self._data.speakers)]
        names = (name for text in texts for term in text.terms for name, _ in _parts(term, how))
        return {name: place for place, name in enumerate(dict.fromkeys(names))}

    def _once(self, key: tuple[Any, ...], make: Any) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def _parts(term: str, how: Encoding) -> list[tuple[str, int]]:
    padded = f" {term} "
    parts = [("w:" + term, how.word)]
    if len(term) >= how.prefix_length:
        parts.append(("p:" + term[: how.prefix_length], how.prefix))
    if len(term) >= 3:
        parts += [("g:" + padded[at : at + 3], how.gram) for at in range(len(term))]
    return parts
