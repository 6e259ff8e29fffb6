"""The conversations of locomo6: their turns, questions, and what the encoder needs to know of each."""

import gzip
import json
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.encoders.composite import Batch, Composite, CompositeEncoder
from engine.encoders.roles import role_values
from engine.encoders.text import spaced
from engine.encoders.weights import WHOLE, Encoding, Statistics, Words
from engine.hypervector import Hypervectors, quantise

SEED = "mnemo:projection"
"""The seed of the projection of a collection that names none."""
# As mnemo.context_counts and mnemo.query_roles cut texts.
_LONGEST = 2_000
_SPAN = 3


@dataclass(frozen=True)
class Asked:
    """A question of one conversation, the places of the turns that answer it, its embedding float32[d]."""

    text: str
    context: str
    category: str
    answers: NDArray[np.intp]
    embedding: NDArray[np.float32]


@dataclass(frozen=True)
class Sides:
    """The same turns encoded at write and with both sides, and their questions: uint8[n, D / 8]."""

    written: Hypervectors
    consolidated: Hypervectors
    questions: Hypervectors


class Conversations:
    """Turns in the order of the file, embeddings float32[n, d], and the questions that some of them answer.

    Keys of questions that no turn has are left out, as `mnemo eval --missing ignore` does.
    """

    def __init__(self, folder: Path, most: int | None = None) -> None:
        """Load the first `most` conversations, all of them by default."""
        turns = _lines(folder / "locomo6_turns.jsonl.gz")
        chosen = list(dict.fromkeys(turn["context"] for turn in turns))[:most]
        turns = [turn for turn in turns if turn["context"] in chosen]
        self.texts: list[str] = [turn["content"] for turn in turns]
        self.contexts: list[str] = [turn["context"] for turn in turns]
        self.speakers: list[str] = [turn["speaker"] for turn in turns]
        self.sessions: list[tuple[str, str]] = [(turn["context"], turn["session"]) for turn in turns]
        self.embeddings = np.load(folder / "locomo6_turns_embeddings.npy").astype(np.float32)[: len(turns)]
        self.quantised = list(quantise(self.embeddings))
        self.words = [Words.of(text) for text in self.texts]
        self.names = list(dict.fromkeys(self.contexts))
        self._counted: dict[tuple[int, int], Statistics] = {}
        of = np.array(self.contexts)
        self.places = {name: np.flatnonzero(of == name) for name in self.names}
        where = {turn["key"]: place for place, turn in enumerate(turns)}
        vectors = np.load(folder / "locomo6_questions_embeddings.npy").astype(np.float32)
        self.questions = [
            Asked(line["question"], line["context"], str(line["category"]), np.array(answers), vector)
            for line, vector in zip(_lines(folder / "locomo6_questions.jsonl.gz"), vectors, strict=True)
            if (answers := [where[key] for key in line["evidence"] if key in where])
        ]

    @cached_property
    def asked_in(self) -> dict[str, NDArray[np.intp]]:
        """The places of the questions of each conversation."""
        of = np.array([question.context for question in self.questions])
        return {name: np.flatnonzero(of == name) for name in self.names}

    def members(self, before: Sequence[int], after: Sequence[int]) -> list[list[tuple[int, int]]]:
        """Return what counts in each turn: itself, and its neighbours in its session by their shares."""
        shares = {-d: share for d, share in enumerate(before, 1)} | dict(enumerate(after, 1))
        return [
            [(place, WHOLE)]
            + [
                (place + d, share)
                for d, share in shares.items()
                if share and 0 <= place + d < len(self.texts) and self.sessions[place + d] == session
            ]
            for place, session in enumerate(self.sessions)
        ]

    def statistics(self, upto: int | None = None) -> Statistics:
        """Count in how many of the turns, the first `upto` of them where given, each word is."""
        known = self.words[:upto]
        return Statistics(len(known), Counter(term for words in known for term in words.terms))

    def local(self, question: Asked, sample: int) -> Statistics | None:
        """Count the question's words in the first turns of its conversation: `mnemo.context_counts`."""
        if not sample:
            return None
        key = (id(question), sample)
        if key not in self._counted:
            texts = [self._spaced[place] for place in self.places[question.context][:sample]]
            words = Words.of(question.text)
            single = len(words.terms) - words.pairs
            wanted = [f" {term} " if at < single else term for at, term in enumerate(words.terms)]
            counts = [sum(each in text for text in texts) for each in wanted]
            self._counted[key] = Statistics(len(texts), dict(zip(words.terms, counts, strict=True)))
        return self._counted[key]

    def roles(self, how: Encoding, places: Iterable[int] | None = None) -> list[dict[str, list[str]]]:
        """Return the values that turns, all or those named, have in the roles of an encoding."""
        return [
            role_values(how.roles, self.texts[place], {"speaker": self.speakers[place]}, None)
            for place in (range(len(self.texts)) if places is None else places)
        ]

    def named(self, question: Asked, how: Encoding) -> dict[str, list[str]]:
        """Return the values of roles that a question names: `mnemo.query_roles`, over all conversations."""
        if "speaker" not in how.roles:
            return {}
        return named(question.text, self._speakers)

    @cached_property
    def _spaced(self) -> list[str]:
        return [spaced(text[:_LONGEST]) for text in self.texts]

    @cached_property
    def _speakers(self) -> set[str]:
        return {spaced(speaker).strip() for speaker in self.speakers}


def encode(
    data: Conversations, how: Encoding, *, bits: int, seed: str = SEED, batch: int | None = None
) -> Sides:
    """Encode turns and questions; `batch`: so many are written at once, with the words of these and before.

    Consolidation and questions come when every turn is counted.
    """
    encoder = CompositeEncoder(how, seed, bits)
    final = data.statistics()
    roles = data.roles(how)
    count = len(data.texts)
    before = list(map(Composite, data.members(how.before, ()), roles))
    both = list(map(Composite, data.members(how.before, how.after), roles))
    if batch is None:
        # At once, since what they share is then made once.
        made = encoder.encode(Batch(data.words, data.quantised, [*before, *both], final))
        written, consolidated = made[:count], made[count:]
    else:
        consolidated = encoder.encode(Batch(data.words, data.quantised, both, final))
        written = np.concatenate(
            [
                encoder.encode(
                    Batch(
                        data.words,
                        data.quantised,
                        before[start : start + batch],
                        data.statistics(start + batch),
                    )
                )
                for start in range(0, count, batch)
            ]
        )
    return Sides(written, consolidated, questions(data, encoder, final))


def questions(data: Conversations, encoder: CompositeEncoder, statistics: Statistics) -> Hypervectors:
    """Encode the questions as `mnemo.encode_query` does, each in the context of its conversation."""
    how = encoder.encoding
    return np.stack(
        [
            encoder.encode_query(
                Words.of(question.text),
                statistics,
                local=data.local(question, how.context_sample),
                embedding=quantise(question.embedding),
                roles=data.named(question, how),
            )
            for question in data.questions
        ]
    )


def ranks(data: Conversations, turns: Hypervectors, asked: Hypervectors) -> list[NDArray[np.intp]]:
    """Return the turns of its conversation nearest to each question first, by exact Hamming distance."""
    found: list[NDArray[np.intp]] = [np.empty(0, np.intp)] * len(asked)
    for name in data.names:
        places = data.places[name]
        for question, distances in zip(
            data.asked_in[name], hamming(asked[data.asked_in[name]], turns[places]), strict=True
        ):
            found[question] = places[np.argsort(distances, kind="stable")]
    return found


def recalls(data: Conversations, ranked: Sequence[NDArray[np.intp]], k: int = 10) -> NDArray[np.float64]:
    """Return for each question the share of its answers among the first k."""
    return np.array(
        [
            np.isin(question.answers, places[:k]).mean()
            for question, places in zip(data.questions, ranked, strict=True)
        ]
    )


def named(text: str, speakers: Container[str]) -> dict[str, list[str]]:
    """Return those of the speakers known that stand in a text, as `mnemo.query_roles` does."""
    words = spaced(text[:_LONGEST]).split()
    spans = (" ".join(words[at : at + n]) for at in range(len(words)) for n in range(1, _SPAN + 1))
    found = list(dict.fromkeys(span for span in spans if span in speakers))
    return {"speaker": found} if found else {}


def hamming(left: Hypervectors, right: Hypervectors) -> NDArray[np.int64]:
    """Return the distances int64[n, m] of all pairs."""
    a, b = (np.ascontiguousarray(side).view(np.uint64) for side in (left, right))
    return np.stack([np.bitwise_count(row ^ b).sum(axis=1, dtype=np.int64) for row in a])


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
