"""The read path's first half: a question to the statement that answers it and its parameters."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from engine.database.parameters import PackedBits
from engine.encoders import Statistics, Words
from engine.errors import InvalidArgument
from engine.hypervector import project, quantise
from engine.memory import Collection
from engine.writing.composites import query_encoder
from engine.writing.drafts import NUL_ESCAPE, bound, check_embedding, check_hypervector, encode_texts

_COLUMNS = (
    "select memory_id, key, tier, distance, similarity, score, content, attributes, created_at, score_terms,"
    " estimated from"
)
_BY_VECTOR = (
    _COLUMNS
    + " mnemo.{}(%s, k => %s, collection => %s::text, context => %s::text, filter => %s, exact => %s{})"
)
_BY_QUESTION = (
    _COLUMNS + " mnemo.{}_text(%s::text, hdv => %s, embedding => %s::real[], roles => %s, k => %s,"
    " collection => %s::text, context => %s::text, filter => %s, exact => %s{})"
)
_FETCHED = ", fetched => mnemo.fetched_rows(%s::uuid[], %b::varbit[], %s::text[], %s::bytea[])"
# One round trip for all that the encoding of a question needs.
_KNOWN = (
    "select c.dimension, t.memories, t.counts, l.memories, l.counts, r.roles, r.values"
    " from mnemo.collection(%(collection)s::text) as c"
    " cross join lateral mnemo.term_counts(c.name, %(terms)s::text[]) as t"
    " left join lateral mnemo.context_counts(c.name, %(context)s::text, %(terms)s::text[],"
    ' %(kinds)s::text[]::"char"[], %(sample)s) as l on %(context)s::text is not null and %(sample)s > 0'
    " cross join lateral (select array_agg(q.role) as roles, array_agg(q.value) as values"
    " from mnemo.query_roles(%(text)s::text, c, %(roles)s) as q) as r"
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a text, an embedding float32[d] and values of roles, or a hypervector uint8[D/8]."""

    text: str | None
    embedding: NDArray[np.float32] | None
    roles: dict[str, Any]
    hdv: NDArray[np.uint8] | None
    collection: Collection
    context: str | None
    bits: int


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with a gap for what was fetched from the archive, and its parameters.

    `hdv` is what is asked with, uint8[D/8]; `ranked`: by more than the distance; `words_only`: see Recall.
    """

    template: str
    parameters: tuple[Any, ...]
    hdv: NDArray[np.uint8]
    ranked: bool = False
    words_only: bool = False

    @property
    def sql(self) -> str:
        """The statement for what is in the database."""
        return self.template.format("")

    @property
    def sql_with_fetched(self) -> str:
        """The same with four more parameters: those of mnemo.fetched_rows, what was read of the archive."""
        return self.template.format(_FETCHED)


def question(
    query: str | ArrayLike | None,
    embedding: ArrayLike | None,
    roles: Mapping[str, Any] | None,
    collection: Collection,
    context: str | None,
    bits: int,
) -> Question:
    """Check a question; raise InvalidArgument, InvalidEmbedding or InvalidHypervector."""
    named = named_roles(roles)
    vector = None if embedding is None else check_embedding(embedding, collection, "the query")
    if query is not None and not isinstance(query, str):
        if named:
            raise InvalidArgument("roles go with a text or an embedding: a hypervector is the whole query")
        return Question(
            None, None, {}, check_hypervector(query, bits, "the query"), collection, context, bits
        )
    if named and collection.encoder != "composite":
        raise InvalidArgument(f"collection '{collection.name}' has no roles")
    if vector is None and not named and (query is None or not query.strip()):
        raise InvalidArgument("the query is empty: give a text, an embedding, roles or a hypervector")
    return Question(query, vector, named, None, collection, context, bits)


def named_roles(roles: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the roles of a question; raise InvalidArgument for what JSON cannot hold."""
    try:
        named = dict(roles or {})
        text = json.dumps(named, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"roles are not a JSON object: {error}") from error
    if NUL_ESCAPE.search(text):
        raise InvalidArgument("roles hold a NUL character, which PostgreSQL cannot store")
    return named


def lexical_hypervector(asked: Question) -> NDArray[np.uint8]:
    """Return uint8[D/8] of a question to a lexical collection, which needs nothing that a database knows."""
    if asked.hdv is not None:
        return asked.hdv
    if asked.embedding is not None:
        hdv = project(asked.embedding, asked.collection.seed, asked.bits)
    else:
        hdv = encode_texts([asked.text or ""], asked.bits)[0]
    return bound(hdv, asked.collection, asked.context)


async def statement(
    connection: AsyncConnection[Any],
    asked: Question,
    function: str,
    k: int,
    where: Mapping[str, Any] | None,
    exact: bool,
) -> Statement:
    """Return what to execute for `function`, recall or search, the words weighed by what is known now."""
    how, context = asked.collection, asked.context
    rest = (k, how.name, context, Jsonb(dict(where or {})), exact)
    if asked.hdv is not None or how.encoder != "composite":
        hdv = lexical_hypervector(asked)
        return Statement(_BY_VECTOR.format(function, "{}"), (PackedBits.of(hdv), *rest), hdv)
    composed, words_only = await _composite(connection, asked)
    hdv = bound(composed, how, context)
    embedding = None if asked.embedding is None else asked.embedding.tolist()
    parameters = (asked.text, PackedBits.of(hdv), embedding, Jsonb(asked.roles), *rest)
    return Statement(_BY_QUESTION.format(function, "{}"), parameters, hdv, True, words_only)


async def _composite(connection: AsyncConnection[Any], asked: Question) -> tuple[NDArray[np.uint8], bool]:
    encoder = query_encoder(asked.collection, asked.bits)
    words = Words.of(asked.text or "")
    cursor = await connection.execute(
        _KNOWN,
        {
            "collection": asked.collection.name,
            "context": asked.context,
            "text": asked.text,
            "roles": Jsonb(asked.roles),
            "terms": list(words.terms),
            "kinds": ["w"] * (len(words.terms) - words.pairs) + ["c"] * words.pairs,
            "sample": encoder.encoding.context_sample,
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    dimension, memories, counts, sampled, held, roles, values = row
    named: dict[str, list[str]] = {}
    for role, value in zip(roles or (), values or (), strict=True):
        named.setdefault(role, []).append(value)
    local = None if sampled is None else Statistics(sampled, dict(zip(words.terms, held, strict=True)))
    hdv = await asyncio.to_thread(
        encoder.encode_query,
        words,
        Statistics(memories, dict(zip(words.terms, counts, strict=True))),
        local=local,
        embedding=None if asked.embedding is None else quantise(asked.embedding),
        roles=named,
    )
    return hdv, asked.embedding is None and dimension is not None
