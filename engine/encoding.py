"""Memories and queries to hypervectors, as their collection says; pure computation, no database."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.database.parameters import PackedBits
from engine.database.staging import Draft
from engine.encoders import LexicalEncoder
from engine.errors import InvalidArgument, InvalidEmbedding, InvalidHypervector, UnknownTier
from engine.hypervector import bind, project, quantise, random_hypervector
from engine.memory import Collection, Memory, Tier

Hypervector = NDArray[np.uint8]
# JSON's escape of NUL, not a backslash before the same letters.
NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@lru_cache(maxsize=4)
def _lexical(bits: int) -> LexicalEncoder:
    return LexicalEncoder(bits)


def drafts_of(
    memories: Sequence[Memory], collection: Collection, bits: int, importance: float
) -> list[Draft]:
    """Return what to stage for memories of one collection, encoded as one batch.

    Raises:
        InvalidArgument, InvalidHypervector, InvalidEmbedding: naming the memory by its place and key.
    """
    for place, memory in enumerate(memories):
        _check(place, memory)
    hdvs = np.zeros((len(memories), bits // 8), np.uint8)
    kept: dict[int, bytes] = {}
    given = [i for i, m in enumerate(memories) if m.hdv is not None]
    embedded = [i for i, m in enumerate(memories) if m.embedding is not None]
    projected = [i for i in embedded if memories[i].hdv is None]
    lexical = [i for i, m in enumerate(memories) if m.hdv is None and m.embedding is None]
    for i in given:
        hdvs[i] = check_hypervector(memories[i].hdv, bits, _name(i, memories[i]))
    vectors = {i: _embedding(memories[i], collection, _name(i, memories[i])) for i in embedded}
    if projected:
        hdvs[projected] = project(np.stack([vectors[i] for i in projected]), collection.seed, bits)
    if collection.keep_embedding:
        kept = {i: quantise(vector).tobytes() for i, vector in vectors.items()}
    if lexical:
        hdvs[lexical] = _encode_texts([memories[i].content for i in lexical], bits)
    if collection.bind_context:
        for i in (*projected, *lexical):
            hdvs[i] = _bound(hdvs[i], memories[i].context, bits)
    return [
        Draft(
            content=memory.content,
            hdv=PackedBits.of(hdvs[i]),
            embedding=kept.get(i),
            context=memory.context,
            session=memory.session,
            occurred_at=memory.occurred_at,
            attributes=_attributes(memory.attributes, _name(i, memory)),
            key=memory.key,
            collection=collection.name,
            importance=importance if memory.importance is None else float(memory.importance),
            tier=memory.tier,
            pinned=memory.pinned,
        )
        for i, memory in enumerate(memories)
    ]


def encode_query(
    query: str | ArrayLike | None,
    embedding: ArrayLike | None,
    collection: Collection,
    context: str | None,
    bits: int,
) -> Hypervector:
    """Return the hypervector of a query: itself, else the projected embedding, else the text."""
    if query is not None and not isinstance(query, str):
        return check_hypervector(query, bits, "the query")
    if embedding is not None:
        vector = _vector(embedding, collection, "the query")
        return _bound(
            project(vector, collection.seed, bits), context if collection.bind_context else None, bits
        )
    if query is None or not query.strip():
        raise InvalidArgument("the query is empty: give a text, an embedding or a hypervector")
    hdv = _encode_texts([query], bits)[0]
    return _bound(hdv, context if collection.bind_context else None, bits)


def check_hypervector(value: ArrayLike | None, bits: int, name: str) -> Hypervector:
    """Return uint8[bits / 8], or raise InvalidHypervector."""
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.ndim != 1 or array.size * 8 != bits:
        raise InvalidHypervector(
            f"hypervector of {name} is {array.dtype}{list(array.shape)};"
            f" this database stores {bits} bits, uint8[{bits // 8}]"
        )
    return array


def dimension_of(memories: Sequence[Memory]) -> int | None:
    """Return the dimension of the first embedding among the memories."""
    for memory in memories:
        if memory.embedding is not None:
            return int(np.asarray(memory.embedding).size)
    return None


def _bound(hdv: Hypervector, context: str | None, bits: int) -> Hypervector:
    return hdv if context is None else bind(hdv, random_hypervector("context:" + context, bits))


def _encode_texts(texts: Sequence[str], bits: int) -> NDArray[np.uint8]:
    return _lexical(bits).encode(texts)


def _embedding(memory: Memory, collection: Collection, name: str) -> NDArray[np.float32]:
    assert memory.embedding is not None
    return _vector(memory.embedding, collection, name)


def _vector(embedding: ArrayLike, collection: Collection, name: str) -> NDArray[np.float32]:
    try:
        vector = np.asarray(embedding, np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidEmbedding(f"embedding of {name} is not a list of numbers") from error
    if vector.ndim != 1:
        raise InvalidEmbedding(f"embedding of {name} has {vector.ndim} axes, not 1")
    if collection.dimension is not None and vector.size != collection.dimension:
        raise InvalidEmbedding(
            f"embedding of {name} has {vector.size} dimensions,"
            f" collection '{collection.name}' takes {collection.dimension}"
        )
    if not np.isfinite(vector).all():
        raise InvalidEmbedding(f"embedding of {name} holds NaN or infinity")
    if not vector.any():
        raise InvalidEmbedding(f"embedding of {name} is all zero: it points nowhere")
    return vector


def _attributes(attributes: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        plain = dict(attributes)
        text = json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"attributes of {name} are not a JSON object: {error}") from error
    if NUL_ESCAPE.search(text):
        raise InvalidArgument(f"attributes of {name} hold a NUL character, which PostgreSQL cannot store")
    return plain


def _name(place: int, memory: Memory) -> str:
    return f"memory {place + 1}" + (f" (key {memory.key!r})" if memory.key is not None else "")


def _check(place: int, memory: Memory) -> None:
    name = _name(place, memory)
    for field in ("content", "key", "context", "session"):
        text = getattr(memory, field)
        if text is None and field != "content":
            continue
        if not isinstance(text, str):
            raise InvalidArgument(f"{field} of {name} is {type(text).__name__}, not text")
        if "\x00" in text:
            raise InvalidArgument(f"{field} of {name} holds a NUL character, which PostgreSQL cannot store")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"{field} of {name} is not valid Unicode: {error.reason}") from error
    if memory.tier not in get_args(Tier):
        raise UnknownTier(f"unknown tier {memory.tier!r} of {name}; tiers are {', '.join(get_args(Tier))}")
    importance = 0.0 if memory.importance is None else memory.importance
    if not isinstance(importance, int | float) or not 0 <= importance <= 1:
        raise InvalidArgument(f"importance of {name} must be between 0 and 1, not {importance!r}")
    if memory.key == "":
        raise InvalidArgument(f"key of {name} is empty")
    if not memory.content.strip():
        raise InvalidArgument(f"content of {name} is empty")
    moment: object = memory.occurred_at
    if moment is not None and not isinstance(moment, datetime):
        raise InvalidArgument(f"occurred_at of {name} is {type(moment).__name__}, not a datetime")
    if moment is not None and moment.tzinfo is None:
        raise InvalidArgument(f"occurred_at of {name} has no time zone")
