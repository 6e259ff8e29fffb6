"""The memories of a collection as they are stored, and the answers among them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine.database.errors import translate_errors
from engine.errors import InvalidArgument, InvalidEmbedding
from engine.evaluation.peers import Places
from engine.evaluation.questions import Question
from engine.mnemo import Mnemo

_PAGE = 5000
_READ = (
    "select s.id, s.key, s.context, s.content, s.embedding"
    " from mnemo.scroll(%s::text, after => %s, k => %s, filter => %s) s order by s.id"
)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A question, the memories that answer it, and the places in the corpus of those that may."""

    question: Question
    answers: frozenset[UUID]
    candidates: Places


class Corpus:
    """Every memory of a collection, in order of arrival; a memory's place is its index here.

    `embeddings` is float32[n, d], rows of zeros for memories without one; None where none has one.
    """

    def __init__(self, mnemo: Mnemo, collection: str, dimension: int | None) -> None:
        self._mnemo = mnemo
        self.collection = collection
        self.dimension = dimension
        self.ids: list[UUID] = []
        self.contents: list[str] = []
        self.contexts: dict[str | None, Places] = {}
        self.embeddings: NDArray[np.float32] | None = None
        self._places: dict[str, int] = {}
        self._place_of: dict[UUID, int] = {}
        self._context_of: list[str | None] = []
        self._matching: dict[str, Places] = {}

    @classmethod
    async def read(
        cls, mnemo: Mnemo, collection: str, embeddings: Mapping[str, NDArray[np.float32]]
    ) -> "Corpus":
        """Read a collection; `embeddings`, float32[d] by key, replace the int8 ones that it keeps.

        Raises UnknownCollection, and InvalidArgument where it is empty.
        """
        how = await mnemo.collection(collection)
        corpus = cls(mnemo, collection, how.dimension)
        found: dict[int, NDArray[Any]] = {}
        for place, row in enumerate(await corpus._rows({})):
            id_, key, context, content, kept = row
            corpus.ids.append(id_)
            corpus._place_of[id_] = place
            corpus.contents.append(content)
            corpus._context_of.append(context)
            if key is not None:
                corpus._places[key] = place
            if key in embeddings:
                found[place] = embeddings[key]
            elif kept is not None:
                found[place] = np.frombuffer(kept, np.int8)
        if not corpus.ids:
            raise InvalidArgument(f"collection '{collection}' is empty: there is nothing to find")
        if found and how.dimension is not None:
            corpus.embeddings = np.zeros((len(corpus.ids), how.dimension), np.float32)
            for place, vector in found.items():
                corpus.embeddings[place] = vector
        of = np.array([json.dumps(context) for context in corpus._context_of])
        corpus.contexts = {
            json.loads(str(context)): np.flatnonzero(of == context) for context in np.unique(of)
        }
        return corpus

    async def tasks(
        self, questions: Sequence[Question], missing: Literal["stop", "ignore"]
    ) -> tuple[list[Task], int]:
        """Return the questions with their answers, and how many keys were ignored as missing.

        With `ignore` a key that no candidate has counts as not asked for, and a question left without any is
        left out. Raises InvalidArgument and InvalidEmbedding, naming the line, for what cannot be asked here.
        """
        tasks, ignored = [], 0
        for question in questions:
            self._check_embedding(question)
            candidates = await self._candidates(question)
            answers = [
                self._places[key] for key in question.keys if _holds(candidates, self._places.get(key))
            ]
            if len(answers) < len(question.keys):
                if missing == "stop":
                    raise InvalidArgument(self._absence(question, candidates))
                ignored += len(question.keys) - len(answers)
            if answers:
                tasks.append(Task(question, frozenset(self.ids[place] for place in answers), candidates))
        if not tasks:
            raise InvalidArgument(f"no question has an answer in collection '{self.collection}'")
        return tasks, ignored

    def _check_embedding(self, question: Question) -> None:
        if question.embedding is None or question.embedding.size == self.dimension:
            return
        raise InvalidEmbedding(
            f"{question.place}: the embedding has {question.embedding.size} dimensions,"
            f" collection '{self.collection}' "
            + ("has no embeddings" if self.dimension is None else f"takes {self.dimension}")
        )

    async def _candidates(self, question: Question) -> Places:
        if question.context is None:
            candidates = np.arange(len(self.ids))
        elif question.context in self.contexts:
            candidates = self.contexts[question.context]
        else:
            raise InvalidArgument(
                f"{question.place}: collection '{self.collection}' has no memory of context"
                f" {question.context!r}"
            )
        if question.where is None:
            return candidates
        name = json.dumps(question.where, sort_keys=True)
        if name not in self._matching:
            with question.named():
                rows = await self._rows(question.where)
            found = [self._place_of[row[0]] for row in rows if row[0] in self._place_of]
            self._matching[name] = np.array(found, np.intp)
        return np.intersect1d(candidates, self._matching[name])

    def _absence(self, question: Question, candidates: Places) -> str:
        key = next(key for key in question.keys if not _holds(candidates, self._places.get(key)))
        place = self._places.get(key)
        if place is None:
            reason = f"there is no memory with key {key!r} in collection '{self.collection}'"
        elif question.context is not None and self._context_of[place] != question.context:
            reason = (
                f"the memory {key!r} is of context {self._context_of[place]!r},"
                f" the question is asked in {question.context!r}"
            )
        else:
            reason = f"the filter leaves out the memory {key!r} that answers the question"
        return f"{question.place}: {reason} (see --missing)"

    async def _rows(self, where: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with translate_errors():
            async with self._mnemo.pool.connection() as connection:
                while True:
                    after = rows[-1][0] if rows else None
                    parameters = (self.collection, after, _PAGE, Jsonb(dict(where)))
                    page = await (await connection.execute(_READ, parameters)).fetchall()
                    rows += page
                    if len(page) < _PAGE:
                        return rows


def _holds(candidates: Places, place: int | None) -> bool:
    """Whether a place is among candidates, which are in order."""
    if place is None:
        return False
    at = int(np.searchsorted(candidates, place))
    return at < len(candidates) and int(candidates[at]) == place
