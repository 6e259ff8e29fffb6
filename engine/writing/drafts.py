"""Memories and queries to hypervectors, as their collection says; pure computation, no database."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.database.parameters import PackedBits
from engine.database.staging import Draft
from engine.encoders import LexicalEncoder, Words
from engine.errors import InvalidArgument, InvalidEmbedding, InvalidHypervector, UnknownTier
from engine.hypervector import bind, project, quantise, random_hypervector
from engine.memory import Collection, Memory, Tier
from engine.vault.sealing import check_unsealed, is_private

Hypervector = NDArray[np.uint8]
# JSON's escape of NUL, not a backslash before the same letters.
NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of memories of one collection, checked.

    `hdvs` is uint8[n, D / 8], of which the rows `wanted` are still to be made: those of composites, which
    need what the database knows; see `engine.writing.composites`. `quantised` is by the places of memories,
    `words` is empty where the collection has no use for them. `made`: the rows made of texts here.
    `private`: those whose contents are to be sealed.
    """

    memories: Sequence[Memory]
    collection: Collection
    attributes: list[dict[str, Any]]
    hdvs: NDArray[np.uint8]
    wanted: list[int]
    made: frozenset[int]
    quantised: dict[int, NDArray[np.int8]]
    words: list[Words]
    private: frozenset[int] = frozenset()


def prepare(memories: Sequence[Memory], collection: Collection, bits: int) -> Prepared:
    """Check memories of one collection, and do of their encoding what needs no database.

    Raises:
        InvalidArgument, InvalidHypervector, InvalidEmbedding: naming the memory by its place and key.
    """
    for place, memory in enumerate(memories):
        _check(place, memory)
    attributes = [_attributes(memory, _name(i, memory)) for i, memory in enumerate(memories)]
    for i, memory in enumerate(memories):
        check_unsealed(memory.content, attributes[i], _name(i, memory))
    private = frozenset(i for i, memory in enumerate(memories) if is_private(memory, collection))
    hdvs = np.zeros((len(memories), bits // 8), np.uint8)
    embedded = [i for i, m in enumerate(memories) if m.embedding is not None]
    unmade = [i for i, m in enumerate(memories) if m.hdv is None]
    for i, memory in enumerate(memories):
        if memory.hdv is not None:
            hdvs[i] = check_hypervector(memory.hdv, bits, _name(i, memory))
    vectors = {i: check_embedding(memories[i].embedding, collection, _name(i, memories[i])) for i in embedded}
    quantised = (
        dict(zip(embedded, quantise(np.stack(list(vectors.values()))), strict=True)) if vectors else {}
    )
    if collection.encoder == "composite":
        words = [Words.of(memory.content) for memory in memories]
        return Prepared(
            memories, collection, attributes, hdvs, unmade, frozenset(), quantised, words, private
        )
    projected = [i for i in unmade if i in vectors]
    lexical = [i for i in unmade if i not in vectors]
    if projected:
        hdvs[projected] = project(np.stack([vectors[i] for i in projected]), collection.seed, bits)
    if lexical:
        hdvs[lexical] = encode_texts([memories[i].content for i in lexical], bits)
    for i in unmade:
        hdvs[i] = bound(hdvs[i], collection, memories[i].context)
    return Prepared(memories, collection, attributes, hdvs, [], frozenset(lexical), quantised, [], private)


def drafts_of(prepared: Prepared, importance: float) -> list[Draft]:
    """Return what to stage, once all hypervectors are there; `importance`: of what names none."""
    collection, words = prepared.collection, prepared.words
    # What is private stays as it was encoded: nobody else can encode it again, nor count its words.
    made = prepared.made.union(prepared.wanted) - prepared.private
    return [
        Draft(
            content=memory.content,
            hdv=PackedBits.of(prepared.hdvs[i]),
            embedding=_kept(prepared, i),
            context=memory.context,
            session=memory.session,
            occurred_at=memory.occurred_at,
            attributes=prepared.attributes[i],
            key=memory.key,
            collection=collection.name,
            importance=_importance(memory, prepared.attributes[i], importance),
            tier=memory.tier,
            pinned=memory.pinned,
            encoded="w" if i in made else "g",
            # Only composites count words; an empty list is counted, too.
            terms=list(words[i].terms) if words and i not in prepared.private else [],
            words=words[i].count if words and i not in prepared.private else 0,
        )
        for i, memory in enumerate(prepared.memories)
    ]


def check_hypervector(value: ArrayLike | None, bits: int, name: str) -> Hypervector:
    """Return uint8[bits / 8], or raise InvalidHypervector."""
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.ndim != 1 or array.size * 8 != bits:
        raise InvalidHypervector(
            f"hypervector of {name} is {array.dtype}{list(array.shape)};"
            f" this database stores {bits} bits, uint8[{bits // 8}]"
        )
    return array


def encode_texts(texts: Sequence[str], bits: int) -> NDArray[np.uint8]:
    """Return `uint8[n, D / 8]` as the lexical encoder makes it."""
    return _lexical(bits).encode(texts)


def bound(hdv: Hypervector, collection: Collection, context: str | None) -> Hypervector:
    """Return a hypervector bound with its context, where the collection does that."""
    if context is None or not collection.bind_context:
        return hdv
    return bind(hdv, random_hypervector("context:" + context, 8 * hdv.size))


def dimension_of(memories: Sequence[Memory]) -> int | None:
    """Return the dimension of the first embedding among the memories."""
    for memory in memories:
        if memory.embedding is not None:
            return int(np.asarray(memory.embedding).size)
    return None


def check_embedding(embedding: ArrayLike | None, collection: Collection, name: str) -> NDArray[np.float32]:
    """Return float32[d], or raise InvalidEmbedding."""
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


def _kept(prepared: Prepared, place: int) -> bytes | None:
    kept = prepared.collection.keep_embedding and place not in prepared.private
    quantised = prepared.quantised.get(place) if kept else None
    return None if quantised is None else quantised.tobytes()


@lru_cache(maxsize=4)
def _lexical(bits: int) -> LexicalEncoder:
    return LexicalEncoder(bits)


def _importance(memory: Memory, attributes: Mapping[str, Any], default: float) -> float | None:
    if memory.importance is not None:
        return float(memory.importance)
    # None: the database computes it; the formula is there alone.
    return None if isinstance(attributes.get("scores"), dict) else default


def _attributes(memory: Memory, name: str) -> dict[str, Any]:
    try:
        plain = dict(memory.attributes)
        if memory.scores:
            plain["scores"] = dict(memory.scores)
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
    try:
        # The database refuses them, too; by then the day may have been a role.
        _ = None if moment is None else moment.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(
            f"occurred_at of {name} must lie in the years 1 to 9999, not at {moment}"
        ) from None
