"""The terms of the second stage by their definitions, for the candidates of questions of one conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.encoders.text import spaced
from engine.encoders.weights import Encoding, Statistics, Words, idf
from engine.evaluation.peers import Places
from tests.benchmarks.conversations import Conversations
from tests.benchmarks.stage import BITS

TERMS = ("coverage", "question", "length", "role", "density", "embedding")
_REACH = 2
_FAR = 6
_USUAL = 100
_DEPTH = 10

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """The terms of candidates, float64[questions, candidates, 1 + terms], the similarity first.

    `worth`: what finding a candidate adds to its question's recall.
    """

    questions: Places
    terms: Scores
    worth: Scores

    def recall(self, weights: Mapping[str, float]) -> Scores:
        """Return recall@10 of each question with weights of terms."""
        line = np.array([1.0, *(weights.get(term, 0.0) for term in TERMS)])
        # Candidates come in the order of the first stage, which decides between equals.
        best = np.argsort(-(self.terms @ line), axis=1, kind="stable")[:, :_DEPTH]
        found: Scores = np.take_along_axis(self.worth, best, axis=1).sum(axis=1)
        return found


class Reranking:
    """One conversation and its questions."""

    def __init__(self, data: Conversations, name: str, statistics: Statistics, how: Encoding) -> None:
        self._turns = data.places[name]
        self._questions = data.asked_in[name]
        self._data = data
        texts = [data.texts[place] for place in self._turns]
        self._spaced = [spaced(text[:4_000]) for text in texts]
        self._asks = np.array(
            [text.rstrip().endswith(("?", "\uff1f", "\u061f")) for text in texts], np.float64
        )
        self._length = np.log(np.array([len(text) for text in texts]) / _USUAL)
        values = [set(each.get("speaker", [])) for each in data.roles(how, self._turns)]
        self._session, self._place = _places([data.sessions[place] for place in self._turns])
        kept = np.stack([data.quantised[place] for place in self._turns]).astype(np.float64)
        kept /= np.linalg.norm(kept, axis=1, keepdims=True)
        self._words, self._named, self._cosine = [], [], []
        for place in self._questions:
            question = data.questions[place]
            terms = Words.of(question.text).terms
            counts = np.array([statistics.counts.get(term, 0) for term in terms], np.int64)
            self._words.append((terms, idf(statistics.memories, counts)))
            named = set(data.named(question, how).get("speaker", []))
            self._named.append(np.array([bool(each & named) for each in values], np.float64))
            asked = question.embedding.astype(np.float64)
            self._cosine.append(kept @ (asked / np.linalg.norm(asked)))

    def candidates(self, distances: NDArray[np.int64], count: int) -> Candidates:
        """Return the nearest `count` turns by distances int64[questions, turns] at BITS components."""
        terms, worths = [], []
        for row, question in enumerate(self._questions):
            nearest = np.argsort(distances[row], kind="stable")[:count]
            near = 1 - distances[row, nearest] / BITS
            columns = [
                near, self._coverage(nearest, *self._words[row]), self._asks[nearest], self._length[nearest],
                self._named[row][nearest], self._density(nearest, near), self._cosine[row][nearest],
            ]  # fmt: skip
            terms.append(np.stack(columns, axis=1))
            answers = self._data.questions[question].answers
            worths.append(np.isin(self._turns[nearest], answers) / len(answers))
        return Candidates(self._questions, np.array(terms), np.array(worths))

    def _coverage(self, nearest: Places, words: Sequence[str], weights: NDArray[np.int64]) -> Scores:
        held = np.array([[f" {word} " in self._spaced[at] for word in words] for at in nearest])
        around = self._apart(nearest) <= _REACH
        covered = (around.astype(np.int64) @ held.astype(np.int64)) > 0
        part: Scores = covered @ weights / max(int(weights.sum()), 1)
        return part

    def _density(self, nearest: Places, near: Scores) -> Scores:
        apart = self._apart(nearest)
        weight = np.where((apart <= _FAR) & (apart > 0), 0.5**apart, 0.0)
        dense: Scores = weight @ (near - near.min())
        return dense

    def _apart(self, nearest: Places) -> NDArray[np.int64]:
        same = self._session[nearest][:, None] == self._session[nearest]
        return np.where(same, np.abs(self._place[nearest][:, None] - self._place[nearest]), 1 + _FAR)


def _places(sessions: Sequence[tuple[str, str]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for turns in order the number of their session, and where they stand in it."""
    starts = [0, *(at for at, (one, next_) in enumerate(pairwise(sessions), 1) if one != next_)]
    session = np.searchsorted(starts, np.arange(len(sessions)), side="right") - 1
    return session.astype(np.int64), np.arange(len(sessions)) - np.array(starts)[session]
