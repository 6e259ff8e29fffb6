"""Questions with the keys of the memories that answer them, read from JSON lines."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidArgument, InvalidEmbedding, MalformedFilter
from engine.ingest import Plan
from engine.ingest.fields import Problem
from engine.ingest.npy import EmbeddingFile, problem_of
from engine.ingest.readers import rows


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question at `place` (file:line), the keys that answer it, and how it is asked.

    `embedding` is float32[d]. `category` None: it has none.
    """

    place: str
    text: str
    keys: tuple[str, ...]
    context: str | None = None
    category: str | None = None
    embedding: NDArray[np.float32] | None = None
    roles: Mapping[str, Any] | None = None
    where: Mapping[str, Any] | None = None

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put the place before what is wrong with the question."""
        try:
            yield
        except (InvalidArgument, InvalidEmbedding, MalformedFilter) as error:
            raise type(error)(f"{self.place}: {error}") from error


def read_questions(path: Path, embeddings: Path | None = None) -> list[Question]:
    """Return the questions of a file of JSON lines, also as .gz; row i of `embeddings` belongs to question i.

    Raises:
        InvalidArgument: a line is no question, or there is none; names the line.
        InvalidEmbedding: an embedding cannot be used, or rows and questions are not as many.
        OSError: a file cannot be read.
    """
    plan = Plan(path, "jsonl")
    questions = []
    for line, decode in rows(plan):
        place = plan.place(line)
        try:
            questions.append(_question(place, decode()))
        except Problem as problem:
            raise InvalidArgument(f"{place}: {problem}") from None
    if not questions:
        raise InvalidArgument(f"{path} holds no question")
    return questions if embeddings is None else _with_embeddings(questions, path, embeddings)


def _with_embeddings(questions: list[Question], path: Path, embeddings: Path) -> list[Question]:
    file = EmbeddingFile(embeddings)
    if file.rows != len(questions):
        raise InvalidEmbedding(f"{embeddings} has {file.rows} rows, {path} has {len(questions)} questions")
    embedded = []
    for number, question in enumerate(questions):
        if question.embedding is not None:
            raise InvalidEmbedding(
                f"{question.place}: the question has an embedding of its own,"
                " and a file of embeddings was given"
            )
        vector = file.row(number)
        problem = problem_of(vector)
        if problem is not None:
            raise InvalidEmbedding(f"{question.place}: row {number} of {embeddings} {problem}")
        embedded.append(replace(question, embedding=vector))
    return embedded


def _question(place: str, fields: Mapping[str, Any]) -> Question:
    if fields.get("keys") is not None and fields.get("evidence") is not None:
        raise Problem("both keys and evidence name the answers: give one of them")
    answers = "evidence" if fields.get("evidence") is not None else "keys"
    text = fields.get("question")
    if text is None:
        raise Problem("there is no field question")
    if not isinstance(text, str):
        raise Problem(f"question is {type(text).__name__}, not text")
    if not text.strip():
        raise Problem("question is empty")
    return Question(
        place=place,
        text=_clean(text, "question"),
        keys=_keys(fields.get(answers), answers),
        context=_name(fields.get("context"), "context"),
        category=_name(fields.get("category"), "category"),
        embedding=_embedding(fields.get("embedding")),
        roles=_object(fields.get("roles"), "roles"),
        where=_object(fields.get("filter"), "filter"),
    )


def _keys(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        raise Problem("there is no field keys or evidence: which memories answer the question?")
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise Problem(f"{name} is {type(value).__name__}, not a list of keys")
    keys = [_name(key, f"a key in {name}") for key in listed]
    if not keys or None in keys:
        raise Problem(f"{name} names no memory" if not keys else f"a key in {name} is empty")
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _name(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Problem(f"{name} is {type(value).__name__}, not text or a whole number")
    return _clean(str(value), name) or None


def _clean(text: str, name: str) -> str:
    if "\x00" in text:
        raise Problem(f"{name} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Problem(f"{name} is not valid UTF-8 (character {error.start + 1})") from error
    return text


def _object(value: Any, name: str) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise Problem(f"{name} is {type(value).__name__}, not a JSON object")
    return value or None


def _embedding(value: Any) -> NDArray[np.float32] | None:
    if value is None:
        return None
    try:
        with np.errstate(over="ignore"):
            vector = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise Problem("embedding is not a list of numbers") from error
    if vector.ndim != 1 or not vector.size:
        raise Problem("embedding is not a list of numbers")
    problem = problem_of(vector)
    if problem is not None:
        raise Problem(f"embedding {problem}")
    return vector
