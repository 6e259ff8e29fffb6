"""Fields of a row to the parts of a memory."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.memory import Memory, Tier
from engine.writing.drafts import NUL_ESCAPE

MAX_NAME_BYTES = 1000


class Problem(Exception):  # noqa: N818
    """Why a record cannot be a memory."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Which field holds what; of several names the first that a row has counts. The rest become attributes.

    A `date` that is no ISO 8601 time is an attribute too, an `occurred_at` or a field named by the user must
    be one. Likewise `scores` that are neither an object nor its JSON.
    """

    content: tuple[str, ...] = ("content", "text")
    key: tuple[str, ...] = ("key", "id")
    context: tuple[str, ...] = ("context",)
    session: tuple[str, ...] = ("session",)
    occurred_at: tuple[str, ...] = ("occurred_at", "date")
    embedding: tuple[str, ...] = ("embedding",)
    scores: tuple[str, ...] = ("scores",)
    attributes: tuple[str, ...] = ("attributes",)


def memory_of(
    fields: Mapping[str, Any],
    names: FieldNames,
    *,
    context: str | None,
    tier: Tier,
    content_max_bytes: int,
    embedding: NDArray[np.float32] | None,
) -> Memory:
    """Return the memory that a row stands for. Raises Problem, saying which field is wrong and how."""
    rest = {name: value for name, value in fields.items() if value is not None}
    content = _content(rest, names.content, content_max_bytes)
    key = _name(rest, names.key)
    own_context = _name(rest, names.context)
    session = _name(rest, names.session)
    occurred_at = _time(rest, names.occurred_at)
    own_embedding = _embedding(rest, names.embedding)
    scores = _scores(rest, names.scores)
    if embedding is not None and own_embedding is not None:
        raise Problem("the row has an embedding of its own, and a file of embeddings was given")
    attributes = _attributes(rest, names.attributes)
    if scores and "scores" in attributes:
        raise Problem("'scores' is both a field and an attribute")
    return Memory(
        content=content,
        key=key,
        context=context if own_context is None else own_context,
        session=session,
        occurred_at=occurred_at,
        scores=scores,
        attributes=attributes,
        embedding=own_embedding if embedding is None else embedding,
        tier=tier,
    )


def _content(rest: dict[str, Any], names: tuple[str, ...], max_bytes: int) -> str:
    name = _first(rest, names)
    if name is None:
        raise Problem(f"there is no field {' or '.join(names)}")
    text = rest.pop(name)
    if not isinstance(text, str):
        raise Problem(f"{name} is {type(text).__name__}, not text")
    if not text.strip():
        raise Problem(f"{name} is empty")
    length = _check_text(text, name)
    if length > max_bytes:
        raise Problem(f"{name} has {length} bytes, at most {max_bytes} are kept")
    return text


def _name(rest: dict[str, Any], names: tuple[str, ...]) -> str | None:
    name = _first(rest, names)
    if name is None:
        return None
    value = rest.pop(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Problem(f"{name} is {type(value).__name__}, not text or a whole number")
    text = str(value)
    length = _check_text(text, name)
    if length > MAX_NAME_BYTES:
        raise Problem(f"{name} has {length} bytes, at most {MAX_NAME_BYTES} are allowed")
    return text or None


def _time(rest: dict[str, Any], names: tuple[str, ...]) -> datetime | None:
    name = _first(rest, names)
    if name is None:
        return None
    value = rest[name]
    moment: datetime | None = None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            moment = None
    if moment is None:
        if name == "date" and len(names) > 1:
            return None
        raise Problem(f"{name} is {value!r:.60}, not a time such as 2025-01-31T12:00:00Z")
    del rest[name]
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _embedding(rest: dict[str, Any], names: tuple[str, ...]) -> NDArray[np.float32] | None:
    name = _first(rest, names)
    if name is None:
        return None
    try:
        with np.errstate(over="ignore"):
            vector = np.asarray(rest.pop(name), np.float32)
    except (TypeError, ValueError) as error:
        raise Problem(f"{name} is not a list of numbers") from error
    if vector.ndim != 1 or not vector.size:
        raise Problem(f"{name} is not a list of numbers")
    if not np.isfinite(vector).all():
        raise Problem(f"{name} holds NaN or infinity")
    return vector


def _scores(rest: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    name = _first(rest, names)
    if name is None:
        return {}
    value = rest[name]
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if not isinstance(value, dict):
        if name == "scores":
            return {}
        raise Problem(f"{name} is {type(value).__name__}, not a JSON object")
    del rest[name]
    plain: dict[str, Any] = _attributes({"scores": value}, ())["scores"]
    return plain


def _attributes(rest: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    name = _first(rest, names)
    given = {} if name is None else rest.pop(name)
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise Problem(f"{name} is not a JSON object: {error}") from error
    if not isinstance(given, dict):
        raise Problem(f"{name} is {type(given).__name__}, not a JSON object")
    twice = given.keys() & rest.keys()
    if twice:
        raise Problem(f"{min(twice)!r} is both a field and an attribute")
    merged = {**rest, **given}
    try:
        plain: dict[str, Any] = {str(name): _plain(value) for name, value in merged.items()}
        text = json.dumps(plain, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise Problem("an attribute is not valid UTF-8") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise Problem(f"an attribute is no JSON: {error}") from error
    if NUL_ESCAPE.search(text):
        raise Problem("an attribute holds a NUL character, which PostgreSQL cannot store")
    return plain


def _plain(value: Any) -> Any:
    """Return a value of a typed file as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _check_text(text: str, name: str) -> int:
    if "\x00" in text:
        raise Problem(f"{name} holds a NUL character, which PostgreSQL cannot store")
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Problem(f"{name} is not valid UTF-8 (character {error.start + 1})") from error


def _first(rest: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in rest), None)
